"""What explainability has found, put to use: an autoencoder in the bottleneck, trained, inserted, fine-tuned, compared."""
