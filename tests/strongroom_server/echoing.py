"""A program for a child process that answers with the question."""

from strongroom_server.lib.child_program import serve

if __name__ == "__main__":
    serve(lambda question: question)
