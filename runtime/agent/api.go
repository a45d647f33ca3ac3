package agent

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// drainTime is how long requests may go on when the agent ends.
const drainTime = 2 * time.Second

// listen starts the agent's API, if it is to have one.
func (a *Agent) listen(ctx context.Context, group *errgroup.Group) error {
	if a.cfg.ListenAddr == "" {
		return nil
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", a.cfg.ListenAddr)
	if err != nil {
		return fmt.Errorf("agent API: %w", err)
	}
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		return errors.Join(fmt.Errorf("agent API: %w", err), ln.Close())
	}
	scheme := "http"
	if a.cfg.TLS != nil {
		scheme = "https"
		ln = tls.NewListener(ln, a.serverTLS())
	}
	a.apiURL = scheme + "://" + net.JoinHostPort(a.cfg.Host, port)
	server := &http.Server{
		Handler: a.Handler(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 64 << 10,
		// Followed logs end with the agent.
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	group.Go(func() error {
		if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("agent API: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
		defer cancel()
		if server.Shutdown(drain) != nil {
			return server.Close()
		}
		return nil
	})
	a.log.Info("agent API", "url", a.apiURL)
	return nil
}

// serverTLS asks for a certificate of the cluster, and of the master alone:
// other agents have certificates of the same authority.
func (a *Agent) serverTLS() *tls.Config {
	master := a.cfg.TLS.ServerName
	if master == "" {
		master = a.base.Hostname()
	}
	return &tls.Config{
		MinVersion:       tls.VersionTLS13,
		Certificates:     a.cfg.TLS.Certificates,
		GetCertificate:   a.cfg.TLS.GetCertificate,
		ClientAuth:       tls.RequireAndVerifyClientCert,
		ClientCAs:        a.cfg.TLS.RootCAs,
		VerifyConnection: func(s tls.ConnectionState) error { return isMaster(s.PeerCertificates, master) },
	}
}

func isMaster(chain []*x509.Certificate, master string) error {
	if len(chain) == 0 {
		return errors.New("no certificate was shown")
	}
	if err := chain[0].VerifyHostname(master); err != nil {
		return fmt.Errorf("this API is for the master only: %w", err)
	}
	return nil
}

// Handler is the agent's API, see cluster.PathTaskLog and the next. Run serves it.
func (a *Agent) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+cluster.PathTaskLog, a.serveLog)
	mux.HandleFunc("POST "+cluster.PathTaskExec, a.serveExec)
	return mux
}
