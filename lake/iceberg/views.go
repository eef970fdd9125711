//go:build duckdb_arrow

package iceberg

import (
	"context"
	dbsql "database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/apache/iceberg-go"
	iceview "github.com/apache/iceberg-go/view"
	"github.com/google/uuid"

	"tarn/embedded/fault"
	"tarn/embedded/record"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

// The view properties that Tarn writes.
const (
	propComment = "comment"
	propInputs  = "tarn.inputs"  // JSON list of the tables and views that it reads
	propLineage = "tarn.lineage" // JSON list, for each column, of the columns it is computed from
	propSchemas = "tarn.schemas" // JSON list of the schemas in which its bare names are looked for, or null
	propTypes   = "tarn.types"   // JSON list of the columns' types, which Iceberg may not have
)

// View implements catalog.Catalog.
func (s *Store) View(ctx context.Context, id table.Ident) (catalog.View, error) {
	_, meta, err := s.viewAt(ctx, id)
	if err != nil {
		return catalog.View{}, err
	}
	return viewOf(id, meta)
}

// viewAt reads a view's metadata, and where it lies.
func (s *Store) viewAt(ctx context.Context, id table.Ident) (string, iceview.Metadata, error) {
	location, view, err := s.pointer.get(ctx, id)
	if errors.Is(err, dbsql.ErrNoRows) || err == nil && !view {
		return "", nil, fault.Wrap(table.ErrNotFound, fault.NotFound, "view "+id.String(), "SHOW TABLES lists what there is")
	}
	if err != nil {
		return "", nil, fmt.Errorf("look %s up: %w", id, err)
	}
	meta, err := s.readView(location)
	if err != nil {
		return "", nil, fault.Wrap(err, fault.Damaged, "read the view "+id.String(), "create the view again from its statement in the project")
	}
	return location, meta, nil
}

func (s *Store) readView(location string) (iceview.Metadata, error) {
	content, err := s.io().ReadFile(location)
	if err != nil {
		return nil, err
	}
	return iceview.ParseMetadataBytes(content)
}

func viewOf(id table.Ident, meta iceview.Metadata) (catalog.View, error) {
	out := catalog.View{Ident: id}
	version := meta.CurrentVersion()
	if version == nil || len(version.Representations) == 0 {
		return out, fault.New(fault.Damaged, "the view "+id.String()+" has no statement", "create it again")
	}
	said := version.Representations[0]
	for _, r := range version.Representations { // another engine's words may stand beside ours
		if r.Dialect == "duckdb" {
			said = r
		}
	}
	out.Text, out.Dialect = said.Sql, said.Dialect
	props := meta.Properties()
	out.Comment = props[propComment]
	out.Columns = columns(meta.CurrentSchema(), props)
	var types []record.Type
	if json.Unmarshal([]byte(props[propTypes]), &types) == nil && len(types) == len(out.Columns) {
		for i := range types {
			out.Columns[i].Type = types[i]
		}
	}
	_ = json.Unmarshal([]byte(props[propInputs]), &out.Inputs) // another engine's view lists none
	_ = json.Unmarshal([]byte(props[propLineage]), &out.Lineage)
	_ = json.Unmarshal([]byte(props[propSchemas]), &out.Schemas)
	return out, nil
}

// CreateView implements catalog.Catalog.
func (s *Store) CreateView(ctx context.Context, v catalog.View, replace bool) error {
	if err := checkName(v.Ident); err != nil {
		return err
	}
	if err := s.ensureNamespace(ctx, v.Namespace); err != nil {
		return err
	}
	old, isView, err := s.pointer.get(ctx, v.Ident)
	exists := err == nil
	if err != nil && !errors.Is(err, dbsql.ErrNoRows) {
		return fmt.Errorf("look %s up: %w", v.Ident, err)
	}
	if exists && !isView {
		return fault.Wrap(table.ErrExists, fault.Exists, "make view "+v.String(), "a table has that name: choose another one")
	}
	if exists && !replace {
		return fault.Wrap(table.ErrExists, fault.Exists, "make view "+v.String(), "say CREATE OR REPLACE VIEW to put it in the old one's place")
	}
	if err := s.putView(ctx, v, old); err != nil {
		return fmt.Errorf("make view %s: %w", v.Ident, err)
	}
	return nil
}

// putView writes a view and moves the catalog to it from old, which is then removed; "" for none.
func (s *Store) putView(ctx context.Context, v catalog.View, old string) error {
	io := s.io()
	place, _, err := s.placeFor(ctx, v.Ident)
	if err != nil {
		return err
	}
	location, err := s.writeView(io, v, place)
	if err == nil {
		err = s.pointAtView(ctx, v.Ident, old, location)
	}
	if err != nil {
		s.undoUnlessNamed(ctx, v.Ident, io)
		return err
	}
	if old != "" {
		s.removeView(old)
	}
	return nil
}

// ChangeView implements catalog.Catalog.
func (s *Store) ChangeView(ctx context.Context, id table.Ident, change func(*catalog.View) error) error {
	location, meta, err := s.viewAt(ctx, id)
	if err != nil {
		return err
	}
	if _, ours := meta.Properties()[propInputs]; !ours {
		return fault.New(fault.Invalid, "change the view "+id.String(), "another engine has made it: change it there, or make it again with CREATE OR REPLACE VIEW")
	}
	v, err := viewOf(id, meta)
	if err != nil {
		return err
	}
	if err := change(&v); err != nil {
		return err
	}
	if err := s.putView(ctx, v, location); err != nil {
		return fmt.Errorf("change view %s: %w", id, err)
	}
	return nil
}

func (s *Store) writeView(io *fileIO, v catalog.View, place string) (string, error) {
	fields := make([]iceberg.NestedField, len(v.Columns))
	types := make([]record.Type, len(v.Columns))
	for i, c := range v.Columns {
		t, err := icebergType(c.Type)
		if err != nil {
			t = iceberg.PrimitiveTypes.String // propTypes keeps what it is
		}
		types[i] = c.Type
		fields[i] = iceberg.NestedField{ID: i + 1, Name: c.Name, Type: t, Doc: c.Doc}
	}
	props := iceberg.Properties{}
	for key, value := range map[string]any{propInputs: v.Inputs, propLineage: v.Lineage, propSchemas: v.Schemas, propTypes: types} {
		text, err := json.Marshal(value)
		if err != nil {
			return "", err
		}
		props[key] = string(text)
	}
	if v.Comment != "" {
		props[propComment] = v.Comment
	}
	schema := iceberg.NewSchema(0, fields...)
	version, err := iceview.NewVersion(1, schema.ID, []iceview.Representation{iceview.NewRepresentation(v.Text, v.Dialect)},
		[]string{v.Namespace}, iceview.WithDefaultViewCatalog(catalog.Name), iceview.WithTimestampMS(s.Clock.Now().UnixMilli()))
	if err != nil {
		return "", err
	}
	meta, err := iceview.NewMetadata(version, schema, place, props)
	if err != nil {
		return "", err
	}
	content, err := json.Marshal(meta)
	if err != nil {
		return "", err
	}
	uri := place + "/metadata/view-" + uuid.NewString() + ".metadata.json"
	return uri, io.WriteFile(uri, content)
}

func (s *Store) pointAtView(ctx context.Context, id table.Ident, old, location string) error {
	ctx = context.WithoutCancel(ctx)
	if old != "" {
		moved, err := s.pointer.swap(ctx, id, "VIEW", old, location)
		if err == nil && !moved {
			err = fault.Wrap(table.ErrConflict, fault.Conflict, "replace view "+id.String(), "look at what the other one wrote, then try again")
		}
		return err
	}
	return s.pointer.insertView(ctx, id, location)
}

// removeView removes a view's old metadata; it may stay without harm.
func (s *Store) removeView(location string) {
	if err := s.io().Remove(location); err != nil {
		s.Log.Warn("metadata of a former view stays", "uri", location, "error", err)
	}
}

// DropView implements catalog.Catalog.
func (s *Store) DropView(ctx context.Context, id table.Ident) error {
	location, view, err := s.pointer.get(ctx, id)
	if errors.Is(err, dbsql.ErrNoRows) || err == nil && !view {
		hint := "SHOW TABLES lists what there is"
		if err == nil {
			hint = "it is a table: DROP TABLE drops tables"
		}
		return fault.Wrap(table.ErrNotFound, fault.NotFound, "view "+id.String(), hint)
	}
	if err != nil {
		return fmt.Errorf("look %s up: %w", id, err)
	}
	if err := s.pointer.deleteView(context.WithoutCancel(ctx), id); err != nil {
		return fmt.Errorf("drop view %s: %w", id, err)
	}
	s.removeView(location)
	return nil
}

func (p *pointers) insertView(ctx context.Context, id table.Ident, location string) error {
	_, err := p.writer.ExecContext(ctx,
		`INSERT INTO iceberg_tables (catalog_name, table_namespace, table_name, iceberg_type, metadata_location) VALUES (?,?,?,'VIEW',?)`,
		CatalogName, id.Namespace, id.Name, location)
	if err != nil && strings.Contains(err.Error(), "UNIQUE") {
		return fault.Wrap(table.ErrExists, fault.Exists, id.String(), "somebody else has just made it")
	}
	return err
}

func (p *pointers) deleteView(ctx context.Context, id table.Ident) error {
	_, err := p.writer.ExecContext(ctx,
		`DELETE FROM iceberg_tables WHERE catalog_name=? AND table_namespace=? AND table_name=? AND iceberg_type='VIEW'`,
		CatalogName, id.Namespace, id.Name)
	return err
}

// RenameView implements table.Tables. The namespace must be there.
func (s *Store) RenameView(ctx context.Context, from, to table.Ident) error {
	if err := checkName(to); err != nil {
		return err
	}
	res, err := s.pointer.writer.ExecContext(context.WithoutCancel(ctx),
		`UPDATE iceberg_tables SET table_namespace=?, table_name=? WHERE catalog_name=? AND table_namespace=? AND table_name=? AND iceberg_type='VIEW'
		 AND EXISTS (SELECT 1 FROM iceberg_namespace_properties WHERE catalog_name=? AND namespace=?)`,
		to.Namespace, to.Name, CatalogName, from.Namespace, from.Name, CatalogName, to.Namespace)
	if err != nil && strings.Contains(err.Error(), "UNIQUE") {
		return fault.Wrap(table.ErrExists, fault.Exists, to.String(), "choose another name, or drop "+to.String()+" first")
	}
	if err := oneRow(res, err); errors.Is(err, errMoved) {
		return fault.Wrap(table.ErrNotFound, fault.NotFound, "view "+from.String(), "SHOW TABLES lists what there is")
	} else if err != nil {
		return fmt.Errorf("rename view %s: %w", from, err)
	}
	return nil
}
