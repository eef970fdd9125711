//go:build duckdb_arrow

package iceberg

import (
	"cmp"
	"context"
	dbsql "database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/google/uuid"

	"github.com/apache/iceberg-go"
	icetable "github.com/apache/iceberg-go/table"

	"tarn/embedded/fault"
	"tarn/lake/table"
)

// naming is one change of what is called what: a drop, a rename or an exchange. It takes the turns of its
// tables, so that no commit of this process is on its way, and compares with what the catalog said then, so that
// none of another process is lost. Metadata that tells the new name is written before; what counts is
// one transaction of the catalog.
type naming struct {
	store *Store
	what  string // for errors
	works []*work
	news  []prepared // what the works have written, one for each or none
	// change is the transaction, done tells whether the catalog has it, and renamed is what follows
	// from it in memory.
	change  func(ctx context.Context, tx *dbsql.Tx) error
	done    func(ctx context.Context) (bool, error)
	renamed func()
}

type prepared struct {
	meta     icetable.Metadata
	location string
}

// Drop implements table.Tables.
func (s *Store) Drop(ctx context.Context, id table.Ident, owner string) error {
	err := s.rename(ctx, "drop "+id.String(), []table.Ident{id}, func(_ context.Context, n *naming) error {
		w := n.works[0]
		if err := w.base.ownedBy(n.what, owner); err != nil {
			return err
		}
		dir, ours := s.folderOf(id, w.base.meta)
		n.change = func(ctx context.Context, tx *dbsql.Tx) error {
			return dropped(ctx, tx, id, w.base.location, s.folderName(dir), ours)
		}
		n.done = func(ctx context.Context) (bool, error) {
			_, _, err := s.pointer.get(ctx, id)
			return errors.Is(err, dbsql.ErrNoRows), ignore(err, dbsql.ErrNoRows)
		}
		n.renamed = func() {
			w.handle.dropped.Store(true)
			delete(s.tables, id)
			delete(s.damaged, id)
		}
		return nil
	})
	if fault.CodeOf(err) == fault.Damaged {
		return s.dropDamaged(ctx, id)
	}
	return err
}

// dropDamaged drops a table whose metadata cannot be read, so that nobody knows an owner.
func (s *Store) dropDamaged(ctx context.Context, id table.Ident) error {
	location, _, err := s.pointer.get(ctx, id)
	if err == nil {
		dir := ""
		if path, err := s.root.Path(location); err == nil {
			dir = filepath.Dir(filepath.Dir(path))
		}
		err = s.pointer.write(ctx, func(tx *dbsql.Tx) error {
			return dropped(ctx, tx, id, location, s.folderName(dir), s.root.URI(dir) == s.root.TableURI(id))
		})
	}
	if err != nil {
		return fmt.Errorf("drop %s: %w", id, err)
	}
	s.setDamage(id, nil)
	return nil
}

// Rename implements table.Tables.
func (s *Store) Rename(ctx context.Context, from, to table.Ident) error {
	what := "rename " + from.String() + " to " + to.String()
	if err := checkName(to); err != nil {
		return err
	}
	return s.rename(ctx, what, []table.Ident{from}, func(ctx context.Context, n *naming) error {
		if err := s.ensureNamespace(ctx, to.Namespace); err != nil {
			return err
		}
		if err := n.prepare(ctx, to); err != nil {
			return err
		}
		base := n.works[0].base
		n.change = func(ctx context.Context, tx *dbsql.Tx) error {
			err := oneRow(tx.ExecContext(ctx, `UPDATE iceberg_tables SET table_namespace=?, table_name=?, metadata_location=?, previous_metadata_location=? `+exactly,
				to.Namespace, to.Name, n.news[0].location, base.location, CatalogName, from.Namespace, from.Name, base.location))
			if err != nil && strings.Contains(err.Error(), "UNIQUE") {
				return fault.Wrap(table.ErrExists, fault.Exists, to.String(), "choose another name, or drop "+to.String()+" first")
			}
			return err
		}
		n.done = func(ctx context.Context) (bool, error) { return n.named(ctx, to, 0) }
		n.renamed = func() {
			delete(s.tables, from)
			n.works[0].handle.ident.Store(&to)
			s.tables[to] = n.works[0].handle
			damage := s.damaged[from]
			move(s.damaged, from, nil)
			move(s.damaged, to, damage)
		}
		return nil
	})
}

// Exchange implements table.Tables.
func (s *Store) Exchange(ctx context.Context, a, b table.Ident) error {
	what := "exchange " + a.String() + " and " + b.String()
	if a == b {
		return fault.New(fault.Invalid, what, "name two tables")
	}
	return s.rename(ctx, what, []table.Ident{a, b}, func(ctx context.Context, n *naming) error {
		if err := n.prepare(ctx, b, a); err != nil {
			return err
		}
		n.change = func(ctx context.Context, tx *dbsql.Tx) error {
			for i, id := range []table.Ident{a, b} {
				mine, other := n.works[i].base, 1-i
				err := oneRow(tx.ExecContext(ctx, `UPDATE iceberg_tables SET metadata_location=?, previous_metadata_location=? `+exactly,
					n.news[other].location, n.works[other].base.location, CatalogName, id.Namespace, id.Name, mine.location))
				if err != nil {
					return err
				}
				fault.Point("lake.renaming")
			}
			return nil
		}
		n.done = func(ctx context.Context) (bool, error) { return n.named(ctx, a, 1) }
		n.renamed = func() {
			s.tables[a], s.tables[b] = n.works[1].handle, n.works[0].handle
			n.works[0].handle.ident.Store(&b)
			n.works[1].handle.ident.Store(&a)
			damage := s.damaged[a]
			move(s.damaged, a, s.damaged[b])
			move(s.damaged, b, damage)
		}
		return nil
	})
}

// named tells whether a name leads to what the work of an index has written.
func (n *naming) named(ctx context.Context, id table.Ident, work int) (bool, error) {
	now, _, err := n.store.pointer.get(ctx, id)
	return err == nil && now == n.news[work].location, ignore(err, dbsql.ErrNoRows)
}

func ignore(err, none error) error {
	if errors.Is(err, none) {
		return nil
	}
	return err
}

func move(in map[table.Ident]error, id table.Ident, err error) {
	if delete(in, id); err != nil {
		in[id] = err
	}
}

// exactly is a table whose state is known.
const exactly = `WHERE catalog_name=? AND table_namespace=? AND table_name=? AND metadata_location=? AND coalesce(iceberg_type,'TABLE')<>'VIEW'`

// oneRow is the update of exactly one row; errMoved if somebody has been there before.
func oneRow(res dbsql.Result, err error) error {
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return errors.Join(err, errMoved)
	}
	return nil
}

// errRenamed says that a table had another name when its turn came, and that it is to be found again.
var errRenamed = errors.New("the table has another name by now")

// rename does what plan plans with the tables of these names, until nobody has moved one of them meanwhile.
func (s *Store) rename(ctx context.Context, what string, ids []table.Ident, plan func(context.Context, *naming) error) error {
	for attempts := 0; attempts < attemptsMax; {
		err := s.renameOnce(ctx, what, ids, plan)
		switch {
		case errors.Is(err, errRenamed): // by this process, which has got on so far
		case errors.Is(err, errMoved):
			attempts++
			s.metrics.conflicts.Inc()
		default:
			return err
		}
	}
	return fault.Wrap(table.ErrConflict, fault.Conflict, what+": somebody else commits all the time", "try again when the other writer has stopped")
}

func (s *Store) renameOnce(ctx context.Context, what string, ids []table.Ident, plan func(context.Context, *naming) error) error {
	handles := make([]*handle, len(ids))
	for i, id := range ids {
		var err error
		if handles[i], _, err = s.find(ctx, id); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	release, err := takeAll(ctx, handles)
	if err != nil {
		return err
	}
	defer release()
	n := &naming{store: s, what: what}
	for i, h := range handles {
		if h.Ident() != ids[i] {
			return errRenamed
		}
		base, err := h.base(ctx)
		if errors.Is(err, errOther) {
			return errMoved
		}
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		n.works = append(n.works, &work{handle: h, base: base, io: s.io()})
	}
	if err = plan(ctx, n); err == nil {
		err = n.run(ctx)
	}
	if err == nil || errors.Is(err, errMoved) {
		return err
	}
	return fmt.Errorf("%s: %w", what, err)
}

// takeAll takes the turns of tables in order of their uuids, so that two who want the same ones do not wait for
// each other.
func takeAll(ctx context.Context, handles []*handle) (release func(), err error) {
	first, last := handles[0], handles[len(handles)-1]
	if first == last {
		return first.take(ctx)
	}
	if cmp.Or(cmp.Compare(first.ID(), last.ID()), cmp.Compare(first.Ident().String(), last.Ident().String())) > 0 {
		first, last = last, first
	}
	release, err = first.take(ctx)
	if err != nil {
		return nil, err
	}
	releaseLast, err := last.take(ctx)
	if err != nil {
		release()
		return nil, err
	}
	releaseFirst := release
	return func() { releaseLast(); releaseFirst() }, nil
}

// prepare writes metadata that tells each table's new name: what is left of a lake whose catalog is lost.
func (n *naming) prepare(ctx context.Context, names ...table.Ident) error {
	for i, w := range n.works {
		if err := w.base.canWrite(w.handle.Ident()); err != nil {
			return err
		}
		var update icetable.Update = icetable.NewSetPropertiesUpdate(iceberg.Properties{table.PropName: names[i].String()})
		if w.base.meta.Location() == n.store.root.TableURI(names[i]) {
			update = icetable.NewRemovePropertiesUpdate([]string{table.PropName})
		}
		meta, location, err := w.prepare(ctx, nil, []icetable.Update{update})
		if err != nil {
			n.undo()
			return w.io.because(w.refused(err))
		}
		n.news = append(n.news, prepared{meta, location})
	}
	return nil
}

func (n *naming) undo() {
	for _, w := range n.works {
		w.io.undo()
	}
}

// run moves the catalog, and then what is known here.
func (n *naming) run(ctx context.Context) error {
	fault.Point("lake.written")
	s, locked := n.store, false
	defer func() {
		if locked {
			s.naming.Unlock()
		}
	}()
	ctx = context.WithoutCancel(ctx)
	err := s.pointer.write(ctx, func(tx *dbsql.Tx) error {
		s.naming.Lock() // not before the catalog's own lock, for which one may wait
		locked = true
		return n.change(ctx, tx)
	})
	if err != nil {
		if err = n.became(ctx, err); err != nil {
			return err
		}
	}
	for i, p := range n.news {
		n.works[i].land(p.location, p.meta)
		n.works[i].landed.files = n.works[i].base.known()
		n.works[i].handle.advance(n.works[i].landed)
	}
	s.mu.Lock()
	n.renamed()
	s.metrics.damaged.Set(float64(len(s.damaged)))
	s.mu.Unlock()
	fault.Point("lake.committed")
	return nil
}

// became looks what a transaction came to that ended with an error; nil if it is there all the same.
func (n *naming) became(ctx context.Context, err error) error {
	if errors.Is(err, errMoved) || errors.Is(err, table.ErrExists) {
		n.undo()
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, outcomeTimeout)
	defer cancel()
	done, lookErr := n.done(ctx)
	switch {
	case lookErr != nil || !done && fault.InDoubt(err): // after a crash the catalog may name the new files
		return fault.Wrap(errors.Join(err, lookErr), fault.Unavailable, "move the catalog's pointers", "compare the tables' ids before trying again: it may have gone through")
	case done:
		return nil
	}
	n.undo()
	return err
}

// placeFor is where the files of a new table or view go: the folder of its name, unless that is another one's,
// which was renamed or dropped. Then its metadata says its name.
func (s *Store) placeFor(ctx context.Context, id table.Ident) (uri string, own bool, err error) {
	uri = s.root.TableURI(id)
	taken, err := s.pointer.taken(ctx, id, uri, id.Namespace+"/"+id.Name)
	if err != nil || !taken {
		return uri, false, err
	}
	return s.ownPlace(id), true, nil
}

// ownPlace is a folder that no other table has.
func (s *Store) ownPlace(id table.Ident) string { return s.root.OwnURI(id, uuid.NewString()[:8]) }
