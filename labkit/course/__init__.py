"""What runs the course: the environment, grading, the classroom, static pages."""
