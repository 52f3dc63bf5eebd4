rockspec_format = "3.0"
package = "cr"
version = "1.0.0-1"
source = {
  url = "git+file://.", -- `luarocks make` builds the checkout it is run in
}
description = {
  summary = "Container Registry client for Lua and OpenResty",
  detailed = [[
All 119 operations of Alibaba Cloud Container Registry (Enterprise Edition) as functions that take
and return Lua tables: signed (V3 and V1), validated before they are sent, on kept-alive TLS
connections. A C module on libcurl, OpenSSL and lua-cjson, with a local emulator of the API.]],
  license = "MIT",
}
dependencies = {
  "lua >= 5.1, < 5.5",
  "lua-cjson >= 2.1.0",
}
build = {
  type = "builtin",
  modules = {
    ["cr.core"] = {
      sources = {
        "src/binding/file.c",
        "src/binding/http.c",
        "src/binding/json.c",
        "src/binding/module.c",
        "src/binding/operations.c",
        "src/binding/parameters.c",
        "src/binding/parameters_json.c",
        "src/binding/request.c",
        "src/binding/sign.c",
        "src/binding/system.c",
        "src/core/buffer.c",
        "src/core/crypto.c",
        "src/core/file.c",
        "src/core/http.c",
        "src/core/nonce.c",
        "src/core/operations.c",
        "src/core/operations_data.c",
        "src/core/process.c",
        "src/core/request.c",
        "src/core/sign.c",
        "src/core/slice.c",
        "src/core/text.c",
      },
      -- libcurl and OpenSSL come from where the compiler looks by itself: luarocks' own search for
      -- headers does not know Debian's multiarch folders.
      defines = { "_POSIX_C_SOURCE=200809L" },
      libraries = { "curl", "crypto" },
    },
    cr = "src/cr/init.lua",
    ["cr.answer"] = "src/cr/answer.lua",
    ["cr.client"] = "src/cr/client.lua",
    ["cr.command"] = "src/cr/command.lua",
    ["cr.config"] = "src/cr/config.lua",
    ["cr.credentials.access_key"] = "src/cr/credentials/access_key.lua",
    ["cr.credentials.environment"] = "src/cr/credentials/environment.lua",
    ["cr.credentials"] = "src/cr/credentials/init.lua",
    ["cr.credentials.sts"] = "src/cr/credentials/sts.lua",
    ["cr.emulator.authenticate"] = "src/cr/emulator/authenticate.lua",
    ["cr.emulator.canonical"] = "src/cr/emulator/canonical.lua",
    ["cr.emulator.catalogue"] = "src/cr/emulator/catalogue.lua",
    ["cr.emulator.certificates"] = "src/cr/emulator/certificates.lua",
    ["cr.emulator.control"] = "src/cr/emulator/control.lua",
    ["cr.emulator.crypto"] = "src/cr/emulator/crypto.lua",
    ["cr.emulator.deliver"] = "src/cr/emulator/deliver.lua",
    ["cr.emulator.failure"] = "src/cr/emulator/failure.lua",
    ["cr.emulator.faults"] = "src/cr/emulator/faults.lua",
    ["cr.emulator.find"] = "src/cr/emulator/find.lua",
    ["cr.emulator.find_nginx"] = "src/cr/emulator/find_nginx.lua",
    ["cr.emulator.fixture"] = "src/cr/emulator/fixture.lua",
    ["cr.emulator.gateway"] = "src/cr/emulator/gateway.lua",
    ["cr.emulator.iso8601"] = "src/cr/emulator/iso8601.lua",
    ["cr.emulator.json"] = "src/cr/emulator/json.lua",
    ["cr.emulator.launcher"] = "src/cr/emulator/launcher.lua",
    ["cr.emulator.log"] = "src/cr/emulator/log.lua",
    ["cr.emulator.nginx_conf"] = "src/cr/emulator/nginx_conf.lua",
    ["cr.emulator.operations"] = "src/cr/emulator/operations.lua",
    ["cr.emulator.options"] = "src/cr/emulator/options.lua",
    ["cr.emulator.paging"] = "src/cr/emulator/paging.lua",
    ["cr.emulator.permissions"] = "src/cr/emulator/permissions.lua",
    ["cr.emulator.process"] = "src/cr/emulator/process.lua",
    ["cr.emulator.request"] = "src/cr/emulator/request.lua",
    ["cr.emulator.respond"] = "src/cr/emulator/respond.lua",
    ["cr.emulator.server"] = "src/cr/emulator/server.lua",
    ["cr.emulator.shape"] = "src/cr/emulator/shape.lua",
    ["cr.emulator.shell"] = "src/cr/emulator/shell.lua",
    ["cr.emulator.state"] = "src/cr/emulator/state.lua",
    ["cr.emulator.view"] = "src/cr/emulator/view.lua",
    ["cr.endpoint"] = "src/cr/endpoint.lua",
    ["cr.error"] = "src/cr/error.lua",
    ["cr.hint"] = "src/cr/hint.lua",
    ["cr.operations"] = "src/cr/operations.lua",
    ["cr.retry"] = "src/cr/retry.lua",
    ["cr.suggest"] = "src/cr/suggest.lua",
    ["cr.transport.curl"] = "src/cr/transport/curl.lua",
    ["cr.version"] = "src/cr/version.lua",
  },
  install = {
    bin = { cr = "bin/cr" },
  },
}
