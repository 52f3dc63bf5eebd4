--- Tiny container images in the OCI layout, made here: one file in one layer.
--
--     local folder = child.new_folder()
--     local digest = images.single(folder, "1.0", "hello")     -- oci:folder:1.0
--     local list, parts = images.list(folder, "2.0", { amd64 = "a", arm64 = "b" })

local child = require "spec.support.child"
local cjson = require "cjson"

local images = {}

local MANIFEST = "application/vnd.oci.image.manifest.v1+json"
local LIST = "application/vnd.oci.image.index.v1+json"

local function run(command)
  local output, ok = child.shell(command)
  assert(ok, output)
  return output
end

--- Keeps a blob. @return its descriptor
local function add(folder, text, kind)
  child.write(folder .. "/blob", text)
  local hex = run(("sha256sum %s/blob"):format(folder)):match "^%x+"
  run(("mkdir -p %s/blobs/sha256 && mv %s/blob %s/blobs/sha256/%s"):format(folder, folder, folder,
    hex))
  return { mediaType = kind, digest = "sha256:" .. hex, size = #text }
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

--- @return descriptor of a manifest
local function add_manifest(folder, content, architecture)
  child.write(folder .. "/content", content)
  run(("cd %s && tar --mtime=@0 --owner=0 --group=0 -cf layer.tar content && " ..
    "gzip -nk layer.tar"):format(folder))
  local plain = run(("sha256sum %s/layer.tar"):format(folder)):match "^%x+"
  local layer = add(folder, read(folder .. "/layer.tar.gz"),
    "application/vnd.oci.image.layer.v1.tar+gzip")
  run(("cd %s && rm content layer.tar layer.tar.gz"):format(folder))
  local config = add(folder, cjson.encode {
    architecture = architecture, os = "linux",
    rootfs = { type = "layers", diff_ids = { "sha256:" .. plain } },
    history = { { created_by = "spec" } },
  }, "application/vnd.oci.image.config.v1+json")
  local descriptor = add(folder, cjson.encode {
    schemaVersion = 2, mediaType = MANIFEST, config = config, layers = { layer },
  }, MANIFEST)
  descriptor.platform = { architecture = architecture, os = "linux" }
  return descriptor
end

local function tag(folder, descriptor, name)
  descriptor.annotations = { ["org.opencontainers.image.ref.name"] = name }
  child.write(folder .. "/oci-layout", '{"imageLayoutVersion":"1.0.0"}')
  child.write(folder .. "/index.json", cjson.encode { schemaVersion = 2,
    manifests = { descriptor } })
  return descriptor.digest
end

--- An image for this machine, as the only one of the layout.
-- @return digest of its manifest
function images.single(folder, name, content)
  return tag(folder, add_manifest(folder, content, "amd64"), name)
end

--- An image for several platforms.
-- @tparam table contents by architecture
-- @return digest of the list, table of digests of its manifests by architecture
function images.list(folder, name, contents)
  local manifests, parts = {}, {}
  for architecture, content in pairs(contents) do
    local descriptor = add_manifest(folder, content, architecture)
    manifests[#manifests + 1] = descriptor
    parts[architecture] = descriptor.digest
  end
  local list = add(folder, cjson.encode { schemaVersion = 2, mediaType = LIST,
    manifests = manifests }, LIST)
  return tag(folder, list, name), parts
end

return images
