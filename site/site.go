package site

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/service"
)

// Cluster is what the site asks of the runtime's client.
type Cluster interface {
	Services(ctx context.Context) ([]service.Status, error)
	Service(ctx context.Context, id cluster.ServiceID) (service.Status, error)
	Agents(ctx context.Context) ([]core.Agent, error)
}

// Config is what a site is made of.
type Config struct {
	Name    string // of the cluster, for the head of each page
	Catalog Catalog
	Cluster Cluster
	Logger  *slog.Logger     // nil: silent
	Now     func() time.Time // nil: time.Now
}

//go:embed templates static
var files embed.FS

// policy allows our own files and nothing else: no foreign host, no inline
// script or style, no frame. See the facts of CSP level 3.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types universe"

// site answers the pages.
type site struct {
	cfg    Config
	pages  map[string]*template.Template
	assets map[string]asset // by hashed name
	names  map[string]string
	md     *markdown
}

type asset struct {
	body []byte
	mime string
}

// New makes the site's handler.
func New(cfg Config) (http.Handler, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &site{cfg: cfg, pages: map[string]*template.Template{}, assets: map[string]asset{}, names: map[string]string{}, md: newMarkdown()}
	if err := s.loadAssets(); err != nil {
		return nil, err
	}
	for _, page := range []string{"catalog", "package", "services", "service", "nodes", "problem"} {
		t, err := template.New(page).Funcs(s.funcs()).ParseFS(files, "templates/layout.tmpl", "templates/"+page+".tmpl")
		if err != nil {
			return nil, fmt.Errorf("template %s: %w", page, err)
		}
		s.pages[page] = t
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.page(s.catalog))
	mux.HandleFunc("GET /packages/{name}", s.page(s.packagePage))
	mux.HandleFunc("GET /services", s.page(s.services))
	mux.HandleFunc("GET /services/{id}", s.page(s.service))
	mux.HandleFunc("GET /nodes", s.page(s.nodes))
	mux.HandleFunc("GET /static/{name}", s.asset)
	mux.HandleFunc("/", s.page(func(r *http.Request) (string, any, error) {
		return "", nil, problem.New(problem.NotFound, "there is no page %s", r.URL.Path)
	}))
	return mux, nil
}

// loadAssets gives each static file a name with its hash, so that it can be
// cached for ever.
func (s *site) loadAssets() error {
	types := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
	return fs.WalkDir(files, "static", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := files.ReadFile(p)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(body)
		ext := path.Ext(p)
		base := path.Base(p)
		hashed := strings.TrimSuffix(base, ext) + "." + hex.EncodeToString(sum[:6]) + ext
		s.assets[hashed] = asset{body, types[ext]}
		s.names[base] = "/static/" + hashed
		return nil
	})
}

func (s *site) asset(w http.ResponseWriter, r *http.Request) {
	a, ok := s.assets[r.PathValue("name")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", a.mime)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(a.body) // a reader that went away is no fault of ours
}

// page renders what view gives: the name of a page and its data, or an error,
// which becomes a page too.
func (s *site) page(view func(*http.Request) (string, any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		name, data, err := view(r)
		if r.Context().Err() != nil {
			return // whoever asked has gone, as a search does with each letter typed
		}
		status := http.StatusOK
		if err != nil {
			p := problem.Of(err)
			status = p.Class.Status()
			if status >= http.StatusInternalServerError {
				s.cfg.Logger.Error("a page failed", "path", r.URL.Path, "err", err)
			}
			title := http.StatusText(status)
			name, data = "problem", problemPage{head: s.head(title[:1]+strings.ToLower(title[1:]), ""), Problem: p}
		}
		var b bytes.Buffer
		if err := s.pages[name].ExecuteTemplate(&b, "layout", data); err != nil {
			s.cfg.Logger.Error("a template failed", "page", name, "err", err)
			http.Error(w, "this page cannot be shown: a fault of ours", http.StatusInternalServerError)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "private, no-cache")
		w.WriteHeader(status)
		_, _ = w.Write(b.Bytes()) // a reader that went away is no fault of ours
	}
}

// head is what the layout needs of every page.
type head struct {
	Title, Section, Cluster string
}

func (s *site) head(title, section string) head { return head{title, section, s.cfg.Name} }

type problemPage struct {
	head
	Problem *problem.Error
}
