"""StackGAN as an experiment framework: text -> conditioning augmentation -> Stage I (64x64) -> Stage II (256x256)."""
