"""Those who decide the orders: Smokehouse, and what users would take instead, each in its strongest honest form."""
