"""What tests of several folders share: labs, stand-ins, makers of images, terminals."""
