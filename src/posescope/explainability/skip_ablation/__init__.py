"""Ablation of skip connections, joint by joint."""
