//! Scraping
