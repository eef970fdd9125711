// Package files reads a directory of files: JSON lines, CSV, and logs whose lines a regular expression
// takes apart. Each file is read once; what is appended to it later is read when it comes. It
// follows a log through rotation and truncation.
//
// It reads no subdirectory, no symbolic link, and nothing outside of the directory. It writes nothing there.
//
// It resumes by steps. A step is what one append to the topic holds; it is saved as a plan, which pieces of
// which files, before it is appended, and its number is the place of all its records. So the log's
// last place tells whether a planned step is in it: then its files are read up to there, or they are
// read again in the same pieces. Nothing depends on the order of a listing.
package files

import (
	"context"

	"tarn/ingest/source"
)

// Class is the connector.class of this connector.
const Class = "io.tarn.files.FilesConnector"

// The configuration's keys.
const (
	keyPath    = "files.path"
	keyInclude = "files.include"
	keyFormat  = "format"
	keyTopic   = "topic"
	keyTail    = "tail"
	keyQuiet   = "quiet.ms"
	keyPoll    = "poll.interval.ms"
)

// Kind is the entry for ingest/kinds.go.
var Kind = source.Kind{
	Class: Class,
	Name:  "files",
	Title: "Files of a directory: JSON lines",
	Fields: []source.Field{
		{Key: keyPath, Required: true, Doc: "the directory; a relative path starts at the project folder"},
		{Key: keyTopic, Required: true, Doc: "the topic that the records go to"},
		{Key: keyInclude, Default: "*", Doc: "the files to read: patterns such as `gate-*.log`, separated by commas; names that begin with a dot, or end in .tmp, .part, .crdownload, .filepart, .swp or ~, are never read"},
		{Key: keyFormat, Default: formatLines, Doc: "jsonl (one object a line)"},
		{Key: keyTail, Default: "false", Doc: "true: a file is read as it grows, line by line; false: once nobody has written to it for quiet.ms"},
		{Key: keyQuiet, Default: "1000", Doc: "milliseconds without a write after which a file counts as written; ten times as many, and a last line without its end is taken as it is"},
		{Key: keyPoll, Default: "500", Doc: "milliseconds between two looks at the directory"},
	},
	Check:    check,
	Discover: discover,
	Open: func(_ context.Context, c source.Config, env source.Env, at source.Position) (source.Source, error) {
		r, err := open(c, env, at)
		if err != nil {
			return nil, err
		}
		return r, nil
	},
}
