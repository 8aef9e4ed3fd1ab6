"""The ground floor: what we know, and the only rules that may change it. No Faust, no Kafka, no HTTP, no clock."""
