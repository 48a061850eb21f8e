"""OPC UA: one session per link, one subscription per device. See README.md."""
