// Package files reads a directory of files: JSON lines, CSV, Parquet, and logs whose lines a regular expression
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
	keyColumns = "columns"
	keyComma   = "csv.delimiter"
	keyPattern = "pattern"
	keyTail    = "tail"
	keyQuiet   = "quiet.ms"
	keyPoll    = "poll.interval.ms"
)

// Kind is the entry for ingest/kinds.go.
var Kind = source.Kind{
	Class: Class,
	Name:  "files",
	Title: "Files of a directory: JSON lines, CSV, logs, Parquet",
	Fields: []source.Field{
		{Key: keyPath, Required: true, Doc: "the directory; a relative path starts at the project folder"},
		{Key: keyTopic, Required: true, Doc: "the topic that the records go to"},
		{Key: keyInclude, Default: "*", Doc: "the files to read: patterns such as `gate-*.log`, separated by commas; names that begin with a dot, or end in .tmp, .part, .crdownload, .filepart, .swp or ~, are never read"},
		{Key: keyFormat, Default: formatLines, Doc: "jsonl (one object a line), csv (the first row names the columns), combined (the access logs of Apache and nginx), regex (pattern takes each line apart), parquet"},
		{Key: keyColumns, Doc: "types of columns, as in `teu:long, eta:timestamp, fee:decimal(10,2)`; beside them boolean, int, double, string, date and uuid. Others are found out: in CSV by a file's first rows"},
		{Key: keyComma, Default: ",", Doc: "of CSV: one character, or tab"},
		{Key: keyPattern, Doc: "of regex: a regular expression (RE2) for a whole line, whose groups with names, `(?P<gate>\\S+)`, become columns"},
		{Key: keyTail, Default: "false", Doc: "true: a file is read as it grows, line by line; false: once nobody has written to it for quiet.ms"},
		{Key: keyQuiet, Default: "1000", Doc: "milliseconds without a write after which a file counts as written; ten times as many, and a last line without its end is taken as it is"},
		{Key: source.ToleranceKey, Default: source.ToleranceAll, Doc: "all: a piece that is no record goes to system.dead_letter; none: the source stops before it"},
		{Key: keyPoll, Default: "500", Doc: "milliseconds between two looks at the directory"},
	},
	Check:    check,
	Discover: discover,
	Open: func(ctx context.Context, c source.Config, env source.Env, at source.Position) (source.Source, error) {
		r, err := open(ctx, c, env, at)
		if err != nil {
			return nil, err
		}
		return r, nil
	},
}
