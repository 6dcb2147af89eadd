"""`ionos-openai doctor`: what bears on a client here, looked at and told."""
