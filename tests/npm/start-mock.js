// An OpenAI-compatible server on 127.0.0.1 with fixed answers, for the tests of the model room.
//
//     node start-mock.js FIXTURES.json [--port N] [--key KEY]
//
// Prints "port N" once it listens (an ephemeral port unless --port says otherwise), then serves until its standard
// input ends: a test that dies takes its server along. Endpoint: POST /v1/chat/completions, streamed or not.
// With --key, a request without "Authorization: Bearer KEY" is answered with 401.
// A request that no fixture matches is answered with 503 (strict), so a wrong prompt cannot pass unseen.
// GET /__aimock/journal lists the requests received; the key in them is redacted.
//
// A fixtures file is {"fixtures":[{"match":{...},"response":{...}, options...}, ...]}; the first match answers.
//   match     userMessage (substring of the last user message), systemMessage, toolName, toolCallId,
//             toolResultContains, hasToolResult, turnIndex (number of assistant messages so far), sequenceIndex, model
//   response  {"content":"text"}, {"toolCalls":[{"name":"n","arguments":"{json}","id":"call_1"}]}, both together,
//             or {"error":{"message":"m","type":"t"},"status":429}
//   options   chunkSize (characters a chunk), latency (ms before each chunk), truncateAfterChunks (drop the connection
//             after that many chunks; give a latency of a few ms too, or nothing of the stream arrives)
"use strict";

function usage(message) {
  process.stderr.write(`start-mock: ${message}\n`);
  process.exit(2);
}

function parse(argv) {
  const options = { port: 0, key: null, fixtures: null };
  for (let i = 0; i < argv.length; i++) {
    if (argv[i] === "--port") options.port = Number(argv[++i]);
    else if (argv[i] === "--key") options.key = argv[++i];
    else if (options.fixtures === null && !argv[i].startsWith("--")) options.fixtures = argv[i];
    else usage(`unknown argument '${argv[i]}'`);
  }
  if (options.fixtures === null) usage("a fixtures file is needed");
  if (!Number.isInteger(options.port) || options.port < 0 || options.port > 65535) usage("the port is not a number");
  return options;
}

function load() {
  try {
    return require("@copilotkit/aimock").LLMock;
  } catch (error) {
    if (error.code !== "MODULE_NOT_FOUND") throw error;
    return usage("the mock server is not installed: run tools/setup.sh mock");
  }
}

async function main() {
  const options = parse(process.argv.slice(2));
  const LLMock = load();
  const mock = new LLMock({
    host: "127.0.0.1",
    port: options.port,
    strict: true,
    logLevel: "silent",
    ...(options.key === null ? {} : { auth: { apiKeys: [options.key] } }),
  });
  mock.loadFixtureFile(options.fixtures);
  if (mock.getFixtures().length === 0) usage(`no fixture in '${options.fixtures}'`);
  await mock.start();
  process.stdin.on("end", () => process.exit(0));
  process.stdin.on("error", () => process.exit(0));
  process.stdin.resume();
  process.stdout.write(`port ${new URL(mock.url).port}\n`);
}

main().catch((error) => usage(error.message));
