"""The peer on Django and Django REST framework, under granian."""
