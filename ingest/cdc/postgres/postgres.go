// Package postgres captures the changes of a PostgreSQL database by logical replication: a
// slot of pgoutput for the changes, and COPY under an exported snapshot for the rows that
// were there before.
//
// It needs wal_level=logical (PostgreSQL 13 or later) and a user that may replicate. It does
// not see what is not in the log: unlogged and temporary tables, stored generated columns,
// sequences and DDL itself, whose effect on columns it learns from the next change.
//
// It resumes by LSN: a change's place is the LSN of its transaction's commit and its own. A
// snapshot is cut at an LSN by the slot that exports it, so its rows stand before all changes
// that it did not see. Where it was interrupted it goes on behind the last chunk in the topic,
// under a later cut, with the changes between the two cuts before it.
package postgres

import (
	"context"

	"tarn/ingest/source"
)

// Class is the connector.class of this connector, Debezium's own.
const Class = "io.debezium.connector.postgresql.PostgresConnector"

// Kind is the entry for ingest/kinds.go.
var Kind = source.Kind{
	Class:    Class,
	Name:     "postgresql",
	Title:    "PostgreSQL, by logical replication",
	Fields:   fields,
	Others:   others,
	Check:    check,
	Alone:    alone,
	Discover: discover,
	Leaves:   leaves,
	Ahead:    true,
	Open: func(ctx context.Context, c source.Config, env source.Env, at source.Position) (source.Source, error) {
		r, err := open(ctx, c, env, at)
		if err != nil {
			return nil, err
		}
		return r, nil
	},
}
