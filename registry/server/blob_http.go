package server

import (
	"net/http"
	"time"
)

// handleGetBlob answers GET and HEAD, whole or in ranges. http.ServeContent
// does ranges and conditions and lets the kernel send a file by itself.
func (s *Server) handleGetBlob(w http.ResponseWriter, r *http.Request, rt route) error {
	d, err := digestRef(rt)
	if err != nil {
		return err
	}
	if r.Method == http.MethodHead && r.Header.Get("Range") == "" {
		link, err := s.statBlob(r.Context(), rt.name, d)
		if err != nil {
			return err
		}
		setBlobHeaders(w, d.String())
		w.Header().Set("Accept-Ranges", "bytes")
		setLength(w, link.Size)
		w.WriteHeader(http.StatusOK)
		return nil
	}
	rc, err := s.openBlob(r.Context(), rt.name, d)
	if err != nil {
		return err
	}
	defer rc.Close()
	setBlobHeaders(w, d.String())
	http.ServeContent(w, r, "", time.Time{}, rc)
	return nil
}

func setBlobHeaders(w http.ResponseWriter, d string) {
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Docker-Content-Digest", d)
	h.Set("ETag", `"`+d+`"`)
	h.Set("X-Content-Type-Options", "nosniff")
}

func (s *Server) handleDeleteBlob(w http.ResponseWriter, _ *http.Request, rt route) error {
	d, err := digestRef(rt)
	if err != nil {
		return err
	}
	if err := s.meta.Update(func(tx MetaTx) error { return unlinkBlob(tx, rt.name, d) }); err != nil {
		return err
	}
	w.WriteHeader(http.StatusAccepted)
	return nil
}
