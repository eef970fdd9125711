// Package system is the live tables of system.*: what Tarn knows of itself at the moment of
// the query. Those that are kept in the lake (commits, dead_letter) are ordinary tables.
package system

import (
	"context"
	"strings"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/life"
	"tarn/embedded/record"
	"tarn/lake/catalog"
	"tarn/lake/table"
	"tarn/sql/engine"
)

// Table makes a live table of columns written as "name string, lag_ms long". Rows have the
// columns' order and values of engine.SystemTable.
func Table(name, columns string, rows func(ctx context.Context) ([][]any, error)) engine.SystemTable {
	t := engine.SystemTable{Name: name, Rows: rows}
	for c := range strings.SplitSeq(columns, ", ") {
		column, typ, _ := strings.Cut(c, " ")
		t.Columns = append(t.Columns, engine.SystemColumn{Name: column, Type: record.Type(typ)})
	}
	return t
}

// Parts is system.parts.
func Parts(list func() []life.Status) engine.SystemTable {
	return Table("parts", "name string, state string, since timestamptz, lag_ms long, error string, hint string",
		func(context.Context) (rows [][]any, _ error) {
			for _, s := range list() {
				rows = append(rows, []any{s.Name, string(s.State), Time(s.Since), s.LagMillis, Text(s.Error), Text(s.Hint)})
			}
			return rows, nil
		})
}

// Topics is system.topics, a row a partition.
func Topics(stats func() []bus.PartitionStats) engine.SystemTable {
	return Table("topics", "name string, partition int, log_start long, next_offset long, bytes long, land boolean",
		func(context.Context) (rows [][]any, _ error) {
			for _, s := range stats() {
				rows = append(rows, []any{s.Topic, int64(s.Partition), s.LogStart, s.NextOffset, s.Bytes, s.Land})
			}
			return rows, nil
		})
}

// Tables is system.tables.
func Tables(c catalog.Catalog) engine.SystemTable {
	return Table("tables", "layer string, name string, id string, rows long, files long, bytes long, snapshot_id long, committed_at timestamptz, owner string",
		func(ctx context.Context) (rows [][]any, _ error) {
			stats, err := c.Stats(ctx)
			for _, s := range stats {
				rows = append(rows, []any{s.Namespace, s.Name, s.ID, s.Rows, s.Files + s.DeleteFiles, s.Bytes, s.SnapshotID, Time(s.CommittedAt), Text(s.Owner)})
			}
			return rows, err
		})
}

// Files is system.files: the files of the current snapshots, of rows and of deletes. Paths are shown by their
// last part, for the folders of the server are nobody's business.
func Files(c catalog.Catalog) engine.SystemTable {
	return Table("files", "table_id string, path string, rows long, bytes long, deleted long, content string",
		func(ctx context.Context) (rows [][]any, _ error) {
			files, err := c.Files(ctx)
			for _, f := range files {
				content, deleted := "data", any(f.Deleted)
				if f.Deletes {
					content, deleted = "deletes", nil
				}
				rows = append(rows, []any{f.TableID, f.Path[strings.LastIndexByte(f.Path, '/')+1:], f.Rows, f.Bytes, deleted, content})
			}
			return rows, err
		})
}

// Snapshots is system.snapshots: those that are kept.
func Snapshots(c catalog.Catalog) engine.SystemTable {
	return Table("snapshots", "layer string, name string, snapshot_id long, parent_id long, committed_at timestamptz, operation string, made_by string, epoch long, "+
		"schema_id long, added_rows long, deleted_rows long, rows long, added_files long, removed_files long, files long, delete_files long, bytes long, "+
		"thinned long, is_current boolean, tags string",
		func(ctx context.Context) (rows [][]any, _ error) {
			list, err := c.Histories(ctx)
			for _, h := range list {
				for _, s := range h.Snapshots {
					rows = append(rows, []any{
						h.Namespace, h.Name, s.ID, number(s.ParentID, 0), Time(s.CommittedAt), Text(s.Operation), Text(s.By), number(s.Epoch, 0),
						int64(s.SchemaID), number(s.AddedRows, -1), number(s.DeletedRows, -1), number(s.Rows, -1), number(s.AddedFiles, -1), number(s.RemovedFiles, -1),
						number(s.Files, -1), number(s.DeleteFiles, -1), number(s.Bytes, -1), s.Thinned, s.Current, Text(strings.Join(s.Tags, ", ")),
					})
				}
			}
			return rows, err
		})
}

// Schemas is system.schemas: a row for each thing that a table's schema changed, from its first one on.
func Schemas(c catalog.Catalog) engine.SystemTable {
	return Table("schemas", "layer string, name string, schema_id long, since timestamptz, change string, column_name string, data_type string, before string, field_id long",
		func(ctx context.Context) (rows [][]any, _ error) {
			list, err := c.Histories(ctx)
			for _, h := range list {
				var before []table.Column
				for _, s := range h.Schemas {
					for _, one := range catalog.Changes(before, s.Columns) {
						rows = append(rows, []any{
							h.Namespace, h.Name, int64(s.ID), Time(s.At), one.Change, one.Column, string(one.Type), Text(one.Before), int64(one.FieldID),
						})
					}
					before = s.Columns
				}
			}
			return rows, err
		})
}

// number is one, or null where it is what stands for none.
func number(n, none int64) any {
	if n == none {
		return nil
	}
	return n
}

// Health is system.health: what makes a table slow or large, and what upkeep does next.
func Health(c catalog.Catalog) engine.SystemTable {
	return Table("health", "layer string, name string, files long, small_files long, bytes long, delete_files long, deleted_rows long, "+
		"delete_ratio double, snapshots long, orphan_files long, orphan_bytes long, action string, reason string",
		func(ctx context.Context) (rows [][]any, _ error) {
			list, err := c.Health(ctx)
			for _, h := range list {
				rows = append(rows, []any{
					h.Namespace, h.Name, h.Files, h.SmallFiles, h.Bytes, h.DeleteFiles, h.Deleted,
					h.DeleteRatio(), h.Snapshots, h.OrphanFiles, h.OrphanBytes, Text(string(h.Action)), Text(h.Reason),
				})
			}
			return rows, err
		})
}

// Text is a string, or null where it is empty.
func Text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// Time is an instant, or null where it is zero.
func Time(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}
