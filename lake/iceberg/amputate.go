//go:build duckdb_arrow

package iceberg

import (
	"context"
	"fmt"
	"strings"

	"github.com/apache/iceberg-go"
	icetable "github.com/apache/iceberg-go/table"

	"tarn/lake/catalog"
)

// drop keeps all of a table but the data files that are damaged, for what was in them cannot
// be had again: no snapshot without them is whole, or the log has gone on.
func (w *ward) drop(p *patient, x *examiner, lost []iceberg.DataFile) *treatment {
	t := &treatment{action: fmt.Sprintf("keeps the table without %d files, which are put aside", len(lost))}
	var said []string
	for _, df := range lost {
		said = append(said, fmt.Sprintf("%d rows%s", df.Count(), offsetsOf(p, df)))
	}
	const saidMax = 10
	if len(said) > saidMax {
		said = append(said[:saidMax], fmt.Sprintf("and of %d more files", len(said)-saidMax))
	}
	t.loss = strings.Join(said, ", ")
	t.do = func(ctx context.Context) error { return w.without(ctx, p, x, lost) }
	return t
}

// offsetsOf tells the offsets of a file's rows, by its bounds.
func offsetsOf(p *patient, df iceberg.DataFile) string {
	col, ok := find(columns(p.base.meta.CurrentSchema(), p.base.meta.Properties()), "_offset")
	if !ok {
		return ""
	}
	low, ok := wholeNumber(df.LowerBoundValues()[col.ID])
	high, ok2 := wholeNumber(df.UpperBoundValues()[col.ID])
	if !ok || !ok2 {
		return ""
	}
	return fmt.Sprintf(" of offsets %d to %d", low, high)
}

// without commits a snapshot that lacks files, and forgets those before it that are spoilt.
func (w *ward) without(ctx context.Context, p *patient, x *examiner, lost []iceberg.DataFile) error {
	s := &surgeon{base: p.base}
	name := []string{p.id.Namespace, p.id.Name}
	tx := icetable.New(name, p.base.meta, w.root.URI(p.base.path), fixedIO(w.io()), s).NewTransaction()
	err := tx.ReplaceDataFilesWithDataFiles(ctx, lost, nil, iceberg.Properties{"tarn.repair": "files dropped"}, icetable.WithoutAutoNameMapping())
	if err != nil {
		return err
	}
	if _, err := tx.Commit(ctx); err != nil && s.updates == nil {
		return err
	}
	ids, err := x.spoilt(ctx, p.base.meta.Snapshots())
	if err != nil {
		return err
	}
	updates := append(noted(p.base.meta, s.updates, w.steady.Mark(), catalog.ByRepair), forgetting(ids)...)
	meta, err := icetable.UpdateTableMetadata(p.base.meta, updates, w.root.URI(p.base.path))
	if err != nil {
		return err
	}
	return w.install(ctx, p, x, meta)
}

// surgeon takes the library's updates to be committed with others.
type surgeon struct {
	base    *edition
	updates []icetable.Update
}

// LoadTable implements icetable.CatalogIO; the library asks only in order to replay.
func (*surgeon) LoadTable(context.Context, icetable.Identifier) (*icetable.Table, error) {
	return nil, errMoved
}

// CommitTable implements icetable.CatalogIO.
func (s *surgeon) CommitTable(_ context.Context, _ icetable.Identifier, _ []icetable.Requirement, updates []icetable.Update) (icetable.Metadata, string, error) {
	s.updates = updates
	meta, err := icetable.UpdateTableMetadata(s.base.meta, updates, s.base.path)
	return meta, s.base.path, err
}
