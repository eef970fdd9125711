package ingest

import (
	"tarn/ingest/cdc/postgres"
	"tarn/ingest/cdc/sqlite"
	"tarn/ingest/files"
	"tarn/ingest/source"
)

// Kinds lists the connectors. The folder, the CLI, the Connect door, the page and the docs
// read it.
func Kinds() []source.Kind { return []source.Kind{sqlite.Kind, postgres.Kind, files.Kind} }
