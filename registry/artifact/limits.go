package artifact

// Limits of a package. What goes over one is refused with class
// problem.TooLarge, and the message names the limit.
const (
	// MaxFiles bounds the files in a package.
	MaxFiles = 10_000
	// MaxFileBytes bounds one file, in bytes.
	MaxFileBytes = 64 << 20
	// MaxContentBytes bounds all files together, in bytes.
	MaxContentBytes = 256 << 20
	// MaxLayerBytes bounds the compressed content layer, in bytes.
	MaxLayerBytes = 128 << 20
	// MaxRatio bounds the expansion of the content layer, uncompressed over
	// compressed, once RatioFloorBytes came out of it.
	MaxRatio = 200
	// RatioFloorBytes is the output up to which MaxRatio is not applied, in
	// bytes: small texts compress well for good reasons.
	RatioFloorBytes = 8 << 20
	// MaxPathBytes bounds a file's path, in bytes.
	MaxPathBytes = 512
	// MaxDepth bounds the directories above a file.
	MaxDepth = 32
	// MaxConfigPackBytes bounds the config blob that Pack takes, in bytes; the
	// catalog reads one for every version there is.
	MaxConfigPackBytes = 64 << 10
	// MaxConfigBytes bounds the config blob that is read, in bytes.
	MaxConfigBytes = 1 << 20
	// MaxReadmeBytes bounds README.md, in bytes.
	MaxReadmeBytes = 1 << 20
	// MaxIconBytes bounds an icon, in bytes.
	MaxIconBytes = 1 << 20
	// MaxAnnotationBytes bounds the annotations of a manifest together, in
	// bytes: registries copy them into lists.
	MaxAnnotationBytes = 4 << 10
	// MaxLayers bounds the layers of a manifest that is read.
	MaxLayers = 16
)
