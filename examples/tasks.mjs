// tasks.mjs: rouse from Node, through koffi. Starts commands and goes on; each wait sleeps in a worker thread of koffi's (a
// manager may be used from many), so that Node's loop never does.
//
//     LD_LIBRARY_PATH=/usr/local/lib node tasks.mjs /tmp/some-store 'sleep 1; echo one' 'exit 3'
import { createRequire } from "node:module";
import path from "node:path";
import { promisify } from "node:util";

const koffi = createRequire(path.resolve("here"))("koffi"); // installed where it is run: npm install koffi
const lib = koffi.load(process.env.ROUSE_LIBRARY ?? "librouse.so.0");

koffi.struct("rouse_error", { code: "int", message: koffi.array("char", 256, "String") });
// The beginnings of these two; of the rest, zero means default.
koffi.struct("rouse_task_spec", {
  thread: "const char *", kind: "int", argv: "const char **", env: "const char **", rest: koffi.array("uint8", 512, "Typed"),
});
koffi.struct("rouse_wait", { thread: "const char *", ids: "const char **", count: "size_t", rest: koffi.array("uint8", 128, "Typed") });
koffi.struct("rouse_task", { task_id: "const char *" });

const c = {};
for (const line of [
  "int rouse_store_open(const char *where, void *options, _Out_ void **store, _Out_ rouse_error *err)",
  "void rouse_store_close(void *store)",
  "int rouse_manager_new(void *store, void *options, _Out_ void **manager, _Out_ rouse_error *err)",
  "void rouse_manager_free(void *manager)",
  "int rouse_task_start(void *manager, rouse_task_spec *spec, _Out_ rouse_task **task, _Out_ rouse_error *err)",
  "void rouse_task_free(rouse_task *task)",
  "int rouse_task_wait(void *manager, rouse_wait *wait, _Out_ void **list, _Out_ rouse_error *err)",
  "void *rouse_task_list_at(void *list, size_t i)",
  "void rouse_task_list_free(void *list)",
  "char *rouse_task_json(void *task, void *err)",
]) {
  const name = line.match(/rouse_\w+(?=\()/)[0];
  c[name] = lib.func(line);
}

function check(code, err) {
  if (code < 0) throw new Error(err.message);
}

function open(where) {
  const store = [null], manager = [null], err = {};
  check(c.rouse_store_open(where, null, store, err), err);
  check(c.rouse_manager_new(store[0], null, manager, err), err);
  return { store: store[0], manager: manager[0] };
}

function start(manager, line) {
  const task = [null], err = {};
  const spec = { thread: "example", argv: ["sh", "-c", line, null], env: ["PATH=/usr/bin:/bin", null], rest: new Uint8Array(512) };
  check(c.rouse_task_start(manager, spec, task, err), err);
  const id = koffi.decode(task[0], "rouse_task").task_id;
  c.rouse_task_free(task[0]);
  return id;
}

const sleep = promisify(c.rouse_task_wait.async);

async function end(manager, id) {
  const list = [null], err = {};
  check(await sleep(manager, { ids: [id], count: 1, rest: new Uint8Array(128) }, list, err), err);
  const record = JSON.parse(c.rouse_task_json(c.rouse_task_list_at(list[0], 0), null));
  c.rouse_task_list_free(list[0]);
  return record;
}

const [where, ...lines] = process.argv.slice(2);
const { store, manager } = open(where);
const ids = lines.map((line) => start(manager, line));
for (const { task_id, status, result, error } of await Promise.all(ids.map((id) => end(manager, id))))
  console.log(task_id, status, result ? JSON.stringify(result) : error);
c.rouse_manager_free(manager);
c.rouse_store_close(store);
