"""Lists of images with captions, in the forms that people have them: tables, JSON, Flickr8k's lists, text files beside the images."""
