"""Training: from an untrained model and two crop sets to a trained model, the same to the bit after a kill and a resume."""
