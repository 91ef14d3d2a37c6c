"""What people look at: grids of samples."""
