"""What the integration tests stand on: private servers, a POP3 driver and a scripted IMAP server."""
