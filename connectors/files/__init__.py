"""Order files: CSV or parquet, read once, planned, then placed on the order log."""
