// Package output keeps and reads what a task wrote: its two streams, apart and
// in the order in which they came.
//
// In the task's sandbox each stream has a file, stdout and stderr, that is only
// appended to. A third file, order, holds marks: the sizes of both. Between two
// marks of a Writer only one stream has grown, so that the merged view needs no
// second copy of any byte.
//
// A Writer runs in a process of its own beside the container (see the program
// universe-output): it goes on while no agent lives, and it goes on reading when
// the disk is full, so that the task is never stopped by its own output. Where
// there is none the engine's shim appends to the files by itself; then Note
// writes the marks, as often as it is called, and what came between two calls is
// merged as its standard output before its standard error.
//
// A stream is bounded by giving back the disk space of its beginning, as a hole
// in the file. Offsets are those of the stream's whole life; reading begins at
// the first byte that is kept. Nothing is copied, and no write is lost.
package output
