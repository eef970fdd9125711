package source

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/google/uuid"

	"tarn/embedded/fault"
	"tarn/embedded/meta"
)

// identity is what Tarn keeps of a connector under its name.
type identity struct {
	ID    string            `json:"id"`
	Class string            `json:"class"`
	Keys  map[string]string `json:"keys,omitempty"` // as of its last start, without secrets
	// Folder is the project folder of its last start: one whose file is gone from there has ended.
	Folder string `json:"folder,omitempty"`
	Ended  bool   `json:"ended,omitempty"`
}

// databaseKeys are the keys that tell which database a connector reads.
var databaseKeys = []string{"database.path", "database.hostname", "database.port", "database.dbname"}

// SameDatabase tells whether two configurations speak of one database: they say the same,
// for a project folder may be moved with what is in it, or name the same file.
func (c Config) SameDatabase(o Config) bool {
	same := true
	for _, key := range databaseKeys {
		same = same && c.Keys[key] == o.Keys[key]
	}
	if same {
		return true
	}
	mine, err := os.Stat(c.Path("database.path"))
	if err != nil {
		return false
	}
	theirs, err := os.Stat(o.Path("database.path"))
	return err == nil && os.SameFile(mine, theirs)
}

// public are a connector's keys without secrets, which meta does not keep.
func public(keys map[string]string) map[string]string {
	out := maps.Clone(keys)
	maps.DeleteFunc(out, func(key, _ string) bool {
		return strings.Contains(key, "password") || strings.Contains(key, "secret") || strings.Contains(key, "token")
	})
	return out
}

// Known lists the connectors that ever started and have not ended: name -> the project folder
// of its last start.
func Known(ctx context.Context, m *meta.Store) (map[string]string, error) {
	list, err := m.List(ctx, meta.Sources)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, e := range list {
		var known identity
		if err := json.Unmarshal(e.Value, &known); err == nil && !known.Ended {
			out[e.Key] = known.Folder
		}
	}
	return out, nil
}

// register returns the id of a connector, which it makes at the first start, and keeps what
// the connector is now. Of another class it is another source. What it was on another
// database ends, and what it left there before is its own again where it comes back to it.
// lost is asked for the id of one that meta has lost.
func register(ctx context.Context, m *meta.Store, c Config, class string, lost func() (string, error)) (id string, err error) {
	now := identity{ID: uuid.NewString(), Class: class, Keys: public(c.Keys), Folder: c.Folder}
	known, err := identityOf(ctx, m, c.Name)
	if err != nil && !errors.Is(err, meta.ErrNotFound) {
		return "", err
	}
	if err != nil {
		was, err := lost()
		if err != nil {
			return "", err
		}
		if was != "" {
			now.ID = was
		}
	}
	var entries []meta.Entry
	if err == nil {
		if known.Class == class {
			now.ID = known.ID
		}
		if !known.Ended && known.Keys != nil && (known.Class != class || !c.SameDatabase(Config{Keys: known.Keys, Folder: known.Folder})) {
			if entries, err = ending(ctx, m, c.Name, known); err != nil {
				return "", err
			}
		}
		if known.ID == now.ID && !known.Ended && known.Folder == c.Folder && maps.Equal(known.Keys, now.Keys) {
			return now.ID, nil
		}
	}
	text, err := json.Marshal(now)
	if err != nil {
		return "", err
	}
	entries = append(entries,
		meta.Entry{Bucket: meta.Sources, Key: c.Name, Value: text},
		meta.Entry{Bucket: meta.Leavings, Key: leavingKey(now.ID, c.Keys)})
	return now.ID, m.Put(ctx, entries...)
}

func identityOf(ctx context.Context, m *meta.Store, name string) (known identity, err error) {
	value, err := m.Get(ctx, meta.Sources, name)
	if err == nil {
		err = json.Unmarshal(value, &known)
	}
	return known, err
}

// ownerOf is the source that fills the topics of a connector of which meta knows nothing: its
// id when meta was lost, for the log still names it. "" when there are no such topics, or they
// are of sources that meta knows, or of several.
func (r *Runner) ownerOf(ctx context.Context) (string, error) {
	if r.o.Kind.Discover == nil {
		return "", nil
	}
	owners := r.o.Log.Owners()
	list, err := r.o.Meta.List(ctx, meta.Sources)
	if err != nil {
		return "", err
	}
	known := map[string]bool{}
	for _, e := range list {
		var one identity
		if err := json.Unmarshal(e.Value, &one); err != nil {
			return "", nil //nolint:nilerr // whose it is cannot be told
		}
		known[one.ID] = true
	}
	if !slices.ContainsFunc(slices.Collect(maps.Values(owners)), func(id string) bool { return !known[id] }) {
		return "", nil // the database is asked for its tables only where that may tell something
	}
	tables, err := r.o.Kind.Discover(ctx, r.o.Config)
	if err != nil {
		return "", err
	}
	owner := ""
	for _, t := range tables {
		switch id := owners[r.topicOf(t.Topic)]; {
		case id == "" || id == owner:
		case owner == "":
			owner = id
		default:
			return "", nil
		}
	}
	if owner == "" || known[owner] {
		return "", nil
	}
	r.o.Logger.Warn("connector is known to the log and not to meta.db, it takes its topics over", "source", r.o.Config.Name, "id", owner)
	return owner, nil
}

// IDOf is the id of a connector that has started; "" for one that never did, or has ended.
func IDOf(ctx context.Context, m *meta.Store, name string) (string, error) {
	known, err := identityOf(ctx, m, name)
	if errors.Is(err, meta.ErrNotFound) || known.Ended {
		return "", nil
	}
	return known.ID, err
}

// PositionOf is where a connector stands; nil at its beginning.
func PositionOf(ctx context.Context, m *meta.Store, name string) (Position, error) {
	id, err := IDOf(ctx, m, name)
	if err != nil || id == "" {
		return nil, err
	}
	at, err := m.Get(ctx, meta.Positions, id)
	if errors.Is(err, meta.ErrNotFound) {
		return nil, nil
	}
	return at, err
}

// Place puts a connector that does not run, and has run, to another position. What its topics hold already is not appended
// again.
func Place(ctx context.Context, m *meta.Store, name string, at Position) error {
	id, err := IDOf(ctx, m, name)
	if err != nil {
		return err
	}
	if id == "" {
		return fault.Newf(fault.NotFound, "let it run first", "connector %s has never run, and has no position", name)
	}
	return m.Put(ctx, meta.Entry{Bucket: meta.Positions, Key: id, Value: at})
}
