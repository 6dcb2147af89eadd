"""What is known of the service.

- `catalogue`, `models`: the image models, and which of them the service offers;
- `prices`: what pictures cost;
- `credentials`: tokens, and the addresses they may go to;
- `compat`: requests written for OpenAI, made into what the service takes;
- `answers`: the service's error answers.
"""
