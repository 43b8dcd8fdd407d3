//! Listeners' ingest routers, scraping, service discovery; bounded queues and explicit refusals.
