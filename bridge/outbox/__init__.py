"""The durable log between mapping and delivery: one outbox for each destination."""
