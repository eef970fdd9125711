//go:build duckdb_arrow

package rest_test

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/record"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

// upkeep keeps what it was told, and says what it was given to say.
type upkeep struct {
	mu     sync.Mutex
	orders []string
	done   catalog.Done
	err    error
	begun  chan struct{} // where there is one: an order waits for its end
	ended  chan struct{}
}

func (u *upkeep) Execute(ctx context.Context, id table.Ident, o catalog.Order) (catalog.Done, error) {
	u.mu.Lock()
	u.orders = append(u.orders, fmt.Sprintf("%s %+v", id, o))
	u.mu.Unlock()
	if u.begun != nil {
		u.begun <- struct{}{}
		<-ctx.Done()
		u.ended <- struct{}{}
		return catalog.Done{}, ctx.Err()
	}
	return u.done, u.err
}

// told are the orders since the last time.
func (u *upkeep) told() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	orders := u.orders
	u.orders = nil
	return orders
}

func withCalls(t *testing.T, g guard.Guard) *house {
	h := newHouse(t, g)
	h.table(table.Ident{Namespace: "silver", Name: "calls"}, "SELECT 1 AS id", column("id", record.Int))
	return h
}

// TestExecute: an order arrives as it was written, and what was done is told in the numbers that
// the action can change.
func TestExecute(t *testing.T) {
	h := withCalls(t, guard.Open{})
	h.upkeep.done = catalog.Done{
		Snapshots: 3, FilesRemoved: 40, FilesAdded: 2, BytesRemoved: 1 << 40, BytesAdded: 900, DeletesApplied: 17,
		Paths: []string{filepath.Join(h.dir, "silver", "calls", "data", "a.parquet"), "/elsewhere/b.parquet"},
	}
	compacted := []string{"files_removed,40", "bytes_removed,1099511627776", "files_added,2", "bytes_added,900", "deletes_applied,17"}
	for statement, want := range map[string]struct {
		order string
		rows  []string
	}{
		"ALTER TABLE silver.calls EXECUTE compact": {"silver.calls {Action:compact DryRun:false Retention:0s FileBytes:0}", compacted},
		"alter table lake.Silver.Calls execute optimize(file_size_threshold => '128MB');": {
			"silver.calls {Action:compact DryRun:false Retention:0s FileBytes:134217728}", compacted,
		},
		"-- every night\nALTER TABLE calls EXECUTE expire_snapshots(retention_threshold => '7d') DRY RUN": {
			"silver.calls {Action:expire_snapshots DryRun:true Retention:168h0m0s FileBytes:0}",
			[]string{"snapshots_expired,3"},
		},
		`ALTER TABLE "calls" EXECUTE remove_orphan_files`: {
			"silver.calls {Action:remove_orphan_files DryRun:false Retention:0s FileBytes:0}",
			[]string{"files_removed,40", "bytes_removed,1099511627776"},
		},
		`ALTER TABLE calls EXECUTE remove_orphan_files DRY RUN`: {
			"silver.calls {Action:remove_orphan_files DryRun:true Retention:0s FileBytes:0}",
			[]string{"files_removed,40,", "bytes_removed,1099511627776,", "orphan_file,,silver/calls/data/a.parquet", "orphan_file,,b.parquet"},
		},
	} {
		h.want(statement, want.rows...)
		if got := h.upkeep.told(); len(got) != 1 || got[0] != want.order {
			t.Errorf("%s: ordered %q, want %q", statement, got, want.order)
		}
	}
	if _, body := h.post("ALTER TABLE calls EXECUTE compact", ""); !strings.HasPrefix(body,
		`{"columns":[{"name":"metric_name","type":"VARCHAR"},{"name":"metric_value","type":"BIGINT"}],"rows":[["files_removed",40],`) {
		t.Error(body)
	}
}

// TestExecuteRefused: nothing is ordered for what is no table, and the place is told.
func TestExecuteRefused(t *testing.T) {
	h := withCalls(t, guard.Open{})
	h.want("CREATE VIEW gold.v AS SELECT id FROM calls", "CREATE VIEW")
	for statement, want := range map[string]string{
		"ALTER TABLE silver.cals EXECUTE compact":               `"code":"not_found","message":"there is no table silver.cals","hint":"did you mean silver.calls?","line":1,"column":13`,
		"-- a\n  ALTER TABLE other.a.b EXECUTE compact":         `"code":"not_found","message":"there is no catalog other","hint":"the catalog is lake","line":2,"column":15`,
		"ALTER TABLE gold.v EXECUTE compact":                    `"message":"gold.v is a view: it has no files"`,
		"ALTER TABLE information_schema.tables EXECUTE compact": `"code":"invalid"`,
		"ALTER TABLE silver.calls\n  EXECUTE compcat":           `"code":"syntax","message":"compcat is nothing that a table can execute","hint":"did you mean compact?","line":2,"column":11`,
		"ALTER TABLE silver.calls ADD COLUMN x INT":             `"hint":"write EXECUTE with compact, expire_snapshots or remove_orphan_files"`,
		"ALTER VIEW gold.v RENAME TO w":                         `ALTER TABLE … EXECUTE`,
	} {
		if status, body := h.post(statement, ""); status < 400 || status > 499 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", statement, status, body)
		}
	}
	if told := h.upkeep.told(); len(told) > 0 {
		t.Errorf("ordered %q", told)
	}
	h.upkeep.err = fault.Wrap(fmt.Errorf("open %s: gone", h.dir), fault.Damaged, "read snapshot 7 of silver.calls", "see system.parts")
	status, body := h.post("ALTER TABLE calls EXECUTE compact", "")
	if status != http.StatusInternalServerError || !strings.Contains(body, `"message":"read snapshot 7 of silver.calls"`) || strings.Contains(body, h.dir) {
		t.Errorf("%d %s", status, body)
	}
	h.upkeep.err = table.ErrNotFound // dropped between the look and the order
	h.refused("ALTER TABLE calls EXECUTE compact", "not_found")
}

// onlyReads lets nobody alter anything; byID asks only once the table's id is known.
type onlyReads struct {
	guard.Open
	byID bool
}

func (o onlyReads) Decide(_ guard.Principal, a guard.Action, r guard.Resource) guard.Decision {
	return guard.Decision{Allow: a != guard.Alter || o.byID && r.ID == ""}
}

func TestExecuteAsksTheGuard(t *testing.T) {
	for _, byID := range []bool{false, true} {
		h := withCalls(t, onlyReads{byID: byID})
		h.want("SELECT count(*) FROM calls", "1")
		for _, action := range []string{"compact", "expire_snapshots DRY RUN", "remove_orphan_files"} {
			h.refused("ALTER TABLE silver.calls EXECUTE "+action, "denied")
		}
		if told := h.upkeep.told(); len(told) > 0 {
			t.Errorf("ordered %q", told)
		}
	}
	h := withCalls(t, onlyReads{})
	h.refused("ALTER TABLE silver.nothing EXECUTE compact", "denied")
}

// TestExecuteOutlastsQueries: sql.timeout, which here has passed before anything can begin, is of
// queries. What is asked for within a limit of its own ends with it.
func TestExecuteOutlastsQueries(t *testing.T) {
	h := withCalls(t, guard.Open{})
	h.upkeep.done.FilesAdded = 1
	h.refused("SELECT 1", "timeout")
	h.want("ALTER TABLE silver.calls EXECUTE compact", "files_removed,0", "bytes_removed,0", "files_added,1", "bytes_added,0", "deletes_applied,0")
}

// TestExecuteIsCanceled: whoever goes takes his order back, and those that wait go on; queries
// never wait for any.
func TestExecuteIsCanceled(t *testing.T) {
	h := withCalls(t, guard.Open{})
	h.upkeep.begun, h.upkeep.ended = make(chan struct{}, 8), make(chan struct{}, 8)
	ctx, cancel := context.WithCancel(t.Context())
	var asking sync.WaitGroup
	for range 8 {
		asking.Go(func() {
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, strings.NewReader("ALTER TABLE calls EXECUTE compact"))
			if err != nil {
				t.Error(err)
				return
			}
			if resp, err := http.DefaultClient.Do(req); err == nil {
				_ = resp.Body.Close()
				t.Error("it was answered")
			}
		})
	}
	await(t, h.upkeep.begun)
	await(t, h.upkeep.begun)
	h.want("SELECT count(*) FROM calls", "1")
	if told := h.upkeep.told(); len(told) != 2 {
		t.Errorf("%d orders at once", len(told))
	}
	cancel()
	await(t, h.upkeep.ended)
	await(t, h.upkeep.ended)
	asking.Wait()
}

func await(t *testing.T, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(2 * time.Minute):
		t.Fatal("it did not come")
	}
}

// TestHealth: what upkeep counts, and what it does next, are columns.
func TestHealth(t *testing.T) {
	h := withCalls(t, guard.Open{})
	h.shelf.health = []catalog.Health{
		{
			Ident: table.Ident{Namespace: "silver", Name: "calls"}, Files: 40, SmallFiles: 39, Bytes: 900, Rows: 200, DeleteFiles: 3, Deleted: 50,
			Snapshots: 12, OrphanFiles: 2, OrphanBytes: 80, Action: catalog.Compact, Reason: "39 small files",
		},
		{Ident: table.Ident{Namespace: "silver", Name: "ports"}},
	}
	h.want("FROM system.health", "silver,calls,40,39,900,3,50,0.25,12,2,80,compact,39 small files", "silver,ports,0,0,0,0,0,0,0,0,0,,")
	h.want("SELECT name FROM health WHERE action = 'compact'", "calls")
	h.want("SELECT column_name FROM (DESCRIBE system.health) LIMIT 2", "layer", "name")
	h.want("SHOW TABLES FROM system LIKE 'health'", "system,health,table")
}
