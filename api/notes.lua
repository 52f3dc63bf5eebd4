--- What is known of operations beyond their names and types, written by hand: nothing that is not
-- documented or seen in documented samples. The generators put it into types/cr.lua and
-- docs/operations.md.

local notes = {}

local ACL = "Repeated also after `SLB_SERVICE_ERROR`, as the vendor asks for."

local TIME = "milliseconds since the epoch"
local HEX = "hex, without `sha256:` in the vendor's samples"

local OPERATIONS = {
  CreateInstanceEndpointAclPolicy = { text = ACL },
  DeleteInstanceEndpointAclPolicy = { text = ACL },
  UpdateInstanceEndpointStatus = { text = ACL },
  GetRepoTag = {
    text = "The vendor's English page has its descriptions in the wrong rows; here they are in " ..
      "the right ones. `ImageId` is in the vendor's sample answer, not in its table.",
    parameters = {
      InstanceId = "the instance",
      RepoId = "the repository",
      Tag = "the image tag",
    },
    answer = {
      Status = "`NORMAL` or `DELETING`",
      ImageCreate = TIME,
      ImageUpdate = TIME,
      ImageSize = "bytes",
      Digest = HEX,
      ImageId = HEX,
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
