--- What is known of operations beyond their names and types, written by hand: nothing that is not
-- documented or seen in documented samples. The generators put it into types/cr.lua and
-- docs/operations.md.

local notes = {}


local OPERATIONS = {
  GetRepoTag = {
    text = "The vendor's English page of this operation has its descriptions in the wrong rows; " ..
      "what is said here is how the fields are used. `ImageId` is in the vendor's sample, not in " ..
      "its table.",
    parameters = {
      InstanceId = 'the instance, "cri-…"',
      RepoId = 'the repository, "crr-…"',
      Tag = "the image tag",
    },
    answer = {
      Status = "NORMAL or DELETING",
      ImageCreate = "milliseconds since the epoch",
      ImageUpdate = "milliseconds since the epoch",
      ImageSize = "bytes",
      Digest = "hex, without `sha256:` in the samples",
      ImageId = "hex, without `sha256:` in the samples",
    },
  },
}

local NONE = {}

--- @treturn table {text, parameters (texts by path), answer (likewise)}
function notes.of(name)
  local note = OPERATIONS[name] or NONE
  return { text = note.text, parameters = note.parameters or NONE, answer = note.answer or NONE }
end

return notes
