package sampledata

import (
	"context"
	dbsql "database/sql"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// The port's own time. A crane lifts some 28 containers an hour.
const (
	stepTime     = 15 * time.Second
	timePerLift  = 128 * time.Second
	timeLayout   = "2006-01-02 15:04:05.000"
	expectedMax  = 10 // calls planned ahead
	keepDeparted = 40 // calls kept after departure, with their moves
)

// dayOne is where the port's clock starts: Monday, six in the morning.
var dayOne = time.Date(2026, time.January, 5, 6, 0, 0, 0, time.UTC)

// berths are the two terminals, of 73 ports that the vessels come from and go to.
var berths = []struct{ port, name string }{
	{"MAPTM", "TM-1"},
	{"MAPTM", "TM-2"},
	{"MAPTM", "TM-3"},
	{"MAPTM", "TM-4"},
	{"MAPTM", "TM-5"},
	{"ESALG", "AL-1"},
	{"ESALG", "AL-2"},
	{"ESALG", "AL-3"},
}

// harbour is one step's view of the database.
type harbour struct {
	tx  *dbsql.Tx
	rng *rand.Rand
	now time.Time
}

// step is stepTime of port life in one transaction. The database itself counts the
// steps, in user_version, which SQLite leaves to applications: so clock and chance
// go on after a restart, and a step that was rolled back is taken again alike.
func step(ctx context.Context, tx *dbsql.Tx, seed uint64) error {
	var n uint32
	if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&n); err != nil {
		return err
	}
	h := &harbour{
		tx:  tx,
		rng: rand.New(rand.NewPCG(seed, uint64(n))),
		now: dayOne.Add(time.Duration(n) * stepTime),
	}
	for _, part := range []func(context.Context) error{
		h.depart, h.berth, h.work, h.correct, h.plan, h.replan, h.forget,
	} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return h.exec(ctx, fmt.Sprintf("PRAGMA user_version = %d", n+1))
}

// depart closes the calls that have all their moves.
func (h *harbour) depart(ctx context.Context) error {
	return h.exec(ctx, `UPDATE calls SET status = 'departed', departed_at = ? WHERE status = 'berthed'
		AND moves_planned <= (SELECT count(*) FROM moves WHERE call_id = calls.id)`, h.text(h.now))
}

// berth gives each free berth to the vessel that waits longest for its port.
func (h *harbour) berth(ctx context.Context) error {
	for _, b := range berths {
		err := h.exec(ctx, `UPDATE calls SET status = 'berthed', berth = ?1, berthed_at = ?3 WHERE id =
			(SELECT id FROM calls WHERE status = 'planned' AND port = ?2 AND eta <= ?3 ORDER BY eta, id LIMIT 1)
			AND NOT EXISTS (SELECT 1 FROM calls WHERE status = 'berthed' AND berth = ?1)`,
			b.name, b.port, h.text(h.now))
		if err != nil {
			return err
		}
	}
	return nil
}

type workingCall struct {
	id                   int64
	berth                string
	cranes, done, target int
}

// work lets every crane at every berth lift a container, or not yet.
func (h *harbour) work(ctx context.Context) error {
	calls, err := h.working(ctx)
	if err != nil {
		return err
	}
	for _, c := range calls {
		for crane := 1; crane <= c.cranes && c.done < c.target; crane++ {
			if !h.chance(float64(stepTime) / float64(timePerLift)) {
				continue
			}
			if err := h.lift(ctx, c, crane); err != nil {
				return err
			}
			c.done++
		}
	}
	return nil
}

func (h *harbour) working(ctx context.Context) (calls []workingCall, err error) {
	rows, err := h.tx.QueryContext(ctx, `SELECT id, berth, cranes, moves_planned,
		(SELECT count(*) FROM moves WHERE call_id = calls.id) FROM calls WHERE status = 'berthed' ORDER BY id`)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var c workingCall
		if err := rows.Scan(&c.id, &c.berth, &c.cranes, &c.target, &c.done); err != nil {
			return nil, err
		}
		calls = append(calls, c)
	}
	return calls, rows.Err()
}

// lift is one move: first all that comes off the vessel, then all that goes on.
func (h *harbour) lift(ctx context.Context, c workingCall, crane int) error {
	kind := "load"
	switch {
	case h.chance(0.03):
		kind = "shift" // out of the way of another
	case c.done < c.target/2:
		kind = "discharge"
	}
	at := h.now.Add(time.Duration(h.rng.Int64N(int64(stepTime))))
	return h.exec(ctx, `INSERT INTO moves (call_id, container, kind, crane, weight_kg, moved_at) VALUES (?, ?, ?, ?, ?, ?)`,
		c.id, drawContainer(h.rng), kind, fmt.Sprintf("%s-%c", c.berth, 'A'+crane-1), 2200+h.rng.IntN(28300), h.text(at))
}

// correct mends what the terminal's people got wrong: a misread container, a weight
// that was weighed again, a move that two cranes reported.
func (h *harbour) correct(ctx context.Context) error {
	if h.chance(0.05) {
		if err := h.exec(ctx, `UPDATE moves SET container = ? WHERE id = (SELECT max(id) FROM moves)`, drawContainer(h.rng)); err != nil {
			return err
		}
	}
	if h.chance(0.05) {
		if err := h.exec(ctx, `UPDATE moves SET weight_kg = weight_kg + ? WHERE id = (SELECT max(id) - 20 FROM moves)`, h.rng.IntN(900)+10); err != nil {
			return err
		}
	}
	if h.chance(0.02) {
		return h.exec(ctx, `DELETE FROM moves WHERE id = (SELECT max(id) - 5 FROM moves)
			AND call_id IN (SELECT id FROM calls WHERE status = 'berthed')`)
	}
	return nil
}

// plan announces the next call of a vessel that has none, and now and then a vessel's new flag.
func (h *harbour) plan(ctx context.Context) error {
	var planned int
	if err := h.tx.QueryRowContext(ctx, `SELECT count(*) FROM calls WHERE status = 'planned'`).Scan(&planned); err != nil {
		return err
	}
	if planned >= expectedMax || !h.chance(0.2) {
		return nil
	}
	imo, service, err := h.idleVessel(ctx)
	if err != nil || imo == 0 {
		return err
	}
	if h.chance(0.05) {
		flags := [...]string{"Panama", "Liberia", "Malta", "Morocco", "Portugal", "Singapore"}
		if err := h.exec(ctx, `UPDATE vessels SET flag = ? WHERE imo = ?`, flags[h.rng.IntN(len(flags))], imo); err != nil {
			return err
		}
	}
	from, port, to, err := h.leg(service)
	if err != nil {
		return err
	}
	eta := h.now.Add(30*time.Minute + time.Duration(h.rng.Int64N(int64(3*time.Hour))))
	return h.exec(ctx, `INSERT INTO calls (vessel_imo, voyage, port, from_port, to_port, status, cranes, moves_planned, eta)
		VALUES (?, ?, ?, ?, ?, 'planned', ?, ?, ?)`,
		imo, fmt.Sprintf("V%06d", int(h.now.Sub(dayOne)/stepTime)), port, from, to, 2+h.rng.IntN(3), 60+h.rng.IntN(240), h.text(eta))
}

// idleVessel draws a vessel without an open call; 0 when all are busy.
func (h *harbour) idleVessel(ctx context.Context) (imo int64, service string, err error) {
	rows, err := h.tx.QueryContext(ctx, `SELECT imo, service FROM vessels WHERE NOT EXISTS
		(SELECT 1 FROM calls WHERE vessel_imo = imo AND status <> 'departed') ORDER BY imo`)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = rows.Close() }()
	for seen := 1; rows.Next(); seen++ {
		var nextIMO int64
		var nextService string
		if err := rows.Scan(&nextIMO, &nextService); err != nil {
			return 0, "", err
		}
		if h.rng.IntN(seen) == 0 { // each of them is as likely
			imo, service = nextIMO, nextService
		}
	}
	return imo, service, rows.Err()
}

// leg draws one of the two terminals on a service, with the stops around it.
func (h *harbour) leg(service string) (from, port, to string, err error) {
	services, err := readCSV("services.csv")
	if err != nil {
		return "", "", "", err
	}
	for _, line := range services[1:] {
		if line[0] != service {
			continue
		}
		stops := strings.Fields(line[1])
		start := h.rng.IntN(len(stops))
		for i := range stops {
			at := (start + i) % len(stops)
			if port := stops[at]; port == berths[0].port || port == berths[len(berths)-1].port {
				return stops[(at+len(stops)-1)%len(stops)], port, stops[(at+1)%len(stops)], nil
			}
		}
	}
	return "", "", "", fmt.Errorf("no service %q with a terminal of ours", service)
}

// replan moves a planned call's time, or cancels the call.
func (h *harbour) replan(ctx context.Context) error {
	if h.chance(0.05) {
		later := h.now.Add(time.Duration(h.rng.Int64N(int64(3 * time.Hour))))
		if err := h.exec(ctx, `UPDATE calls SET eta = ? WHERE id = (SELECT max(id) FROM calls WHERE status = 'planned')`, h.text(later)); err != nil {
			return err
		}
	}
	if h.chance(0.005) {
		return h.exec(ctx, `DELETE FROM calls WHERE id = (SELECT max(id) FROM calls WHERE status = 'planned')`)
	}
	return nil
}

// forget removes the oldest departed call above keepDeparted, with its moves, so that
// the database stays small for as long as the sample runs.
func (h *harbour) forget(ctx context.Context) error {
	const oldest = `(SELECT id FROM calls WHERE status = 'departed' ORDER BY departed_at DESC, id DESC LIMIT 1 OFFSET ?)`
	if err := h.exec(ctx, `DELETE FROM moves WHERE call_id = `+oldest, keepDeparted); err != nil {
		return err
	}
	return h.exec(ctx, `DELETE FROM calls WHERE id = `+oldest, keepDeparted)
}

func (h *harbour) exec(ctx context.Context, statement string, args ...any) error {
	_, err := h.tx.ExecContext(ctx, statement, args...)
	return err
}

func (h *harbour) chance(p float64) bool { return h.rng.Float64() < p }

func (h *harbour) text(t time.Time) string { return t.Format(timeLayout) }
