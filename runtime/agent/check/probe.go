package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/universe-dcos/universe/runtime/cluster"
)

const (
	// DefaultTimeout is of one try where a check names none.
	DefaultTimeout = 5 * time.Second
	// maxBody bounds what is read of a reply, in bytes.
	maxBody = 1 << 20
	// maxTold bounds the output of a command that is told as the reason, in bytes.
	maxTold = 512
)

// Target is the task a check is made on.
type Target struct {
	Host  string            // address of the task's ports
	Ports map[string]uint16 // by name
	// Dial connects to the task; nil: net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Exec runs a command in the task's container.
	Exec func(ctx context.Context, argv []string, out io.Writer) (int, error)
}

// Probe is one check, ready to be tried again and again.
type Probe struct {
	check   cluster.Check
	target  Target
	address string
	url     string
	expect  *expectation
	client  *http.Client
}

// New compiles a check. An error means that the check is wrong and every try
// would fail.
func New(c cluster.Check, t Target) (*Probe, error) {
	if t.Dial == nil {
		t.Dial = (&net.Dialer{}).DialContext
	}
	p := &Probe{check: c, target: t}
	kinds := 0
	if len(c.Command) > 0 {
		kinds++
	}
	if c.TCP != nil {
		kinds++
		var err error
		if p.address, err = t.address(c.TCP.Port); err != nil {
			return nil, err
		}
	}
	if c.HTTP != nil {
		kinds++
		if err := p.prepareHTTP(*c.HTTP); err != nil {
			return nil, err
		}
	}
	if kinds != 1 {
		return nil, fmt.Errorf("a check is one of http, tcp and command, and this one names %d of them", kinds)
	}
	return p, nil
}

func (t Target) address(port string) (string, error) {
	n, ok := t.Ports[port]
	if !ok {
		return "", fmt.Errorf("the task has no port named %q", port)
	}
	return net.JoinHostPort(t.Host, strconv.Itoa(int(n))), nil
}

func (p *Probe) prepareHTTP(c cluster.HTTPCheck) error {
	address, err := p.target.address(c.Port)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(c.Path, "/") {
		return fmt.Errorf("path %q does not begin with /", c.Path)
	}
	u, err := url.Parse("http://" + address + c.Path)
	if err != nil {
		return fmt.Errorf("path %q: %w", c.Path, err)
	}
	p.url = u.String()
	if c.Expect != "" {
		if p.expect, err = compile(c.Expect); err != nil {
			return err
		}
	}
	p.client = &http.Client{
		// A connection of its own for each try: what is checked is whether a new
		// client would be served.
		Transport:     &http.Transport{DialContext: p.target.Dial, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return nil
}

// Try makes the check once, within its time-out. Nil means that it passed; an
// error says what was seen.
func (p *Probe) Try(ctx context.Context) error {
	timeout := DefaultTimeout
	if p.check.Timeout > 0 {
		timeout = time.Duration(p.check.Timeout) * time.Millisecond
	}
	late := fmt.Errorf("no answer within %s", timeout)
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, late)
	defer cancel()
	var err error
	switch {
	case p.check.TCP != nil:
		err = p.tryTCP(ctx)
	case p.check.HTTP != nil:
		err = p.tryHTTP(ctx)
	default:
		err = p.tryCommand(ctx)
	}
	if err != nil && errors.Is(context.Cause(ctx), late) {
		return late
	}
	return err
}

func (p *Probe) tryTCP(ctx context.Context) error {
	conn, err := p.target.Dial(ctx, "tcp", p.address)
	if err != nil {
		return err
	}
	return conn.Close()
}

func (p *Probe) tryHTTP(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "universe-check")
	resp, err := p.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if p.expect == nil {
		if resp.StatusCode < 200 || resp.StatusCode >= 400 {
			return fmt.Errorf("GET %s: status %d", p.url, resp.StatusCode)
		}
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return fmt.Errorf("GET %s: %w", p.url, err)
	}
	if len(body) > maxBody {
		return fmt.Errorf("GET %s: the reply is over the limit of %d bytes", p.url, maxBody)
	}
	if err := p.expect.met(ctx, resp, body); err != nil {
		return fmt.Errorf("GET %s: %w", p.url, err)
	}
	return nil
}

func (p *Probe) tryCommand(ctx context.Context) error {
	if p.target.Exec == nil {
		return errors.New("commands cannot be run in this task")
	}
	var out bytes.Buffer
	code, err := p.target.Exec(ctx, p.check.Command, &out)
	if err != nil {
		return err
	}
	if code == 0 {
		return nil
	}
	told := strings.TrimSpace(out.String())
	if len(told) > maxTold {
		told = told[len(told)-maxTold:]
	}
	return fmt.Errorf("command %s ended with %d: %q", p.check.Command[0], code, told)
}
