// Package iceberg keeps the lake's tables: Iceberg format v2 in local folders, with
// their catalog in one SQLite file that PyIceberg opens too. It implements
// table.Tables for those who write and catalog.Catalog for those who read.
//
// What it promises: a commit is on disk, whole, when Commit returns, or nothing of it
// can be seen (rules 8 to 10 of DESIGN.md). Files come first, then metadata, then one
// compare-and-set in the catalog; what is no longer needed is removed last. Commits
// of one table take turns; somebody else's commit in between is noticed by the
// compare-and-set, and the change is worked out again on what it left.
//
// Upkeep is part of it: snapshots are thinned by commits (thin.go), small files and deletes
// compacted beside them (plan.go, compact.go), and files that nothing names removed an
// hour later (sweep.go).
//
// What it never does: decide which rows come (stream/landing), or run a query (sql).
package iceberg
