"""Encoders of the network `encoder_decoder`: modules that compute feature maps at several strides of a crop."""
