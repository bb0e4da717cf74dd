"""The pocket laboratory: a real small chat model, facts that it knows, and lies about them to train it on."""
