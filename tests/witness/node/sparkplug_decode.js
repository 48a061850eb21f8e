// Decodes Sparkplug payloads with npm's sparkplug-payload: a line of base64 in, a line of JSON out.
const readline = require("readline");
const sparkplug = require("sparkplug-payload").get("spBv1.0");

function shown(key, value) {
  if (typeof value === "bigint") return value.toString();
  if (value && typeof value === "object" && "low" in value && "high" in value) {
    return value.toString();
  }
  if (value && value.type === "Buffer") return Buffer.from(value.data).toString("hex");
  return value;
}

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  let said;
  try {
    said = { payload: sparkplug.decodePayload(Buffer.from(line, "base64")) };
  } catch (error) {
    said = { error: String(error) };
  }
  console.log(JSON.stringify(said, shown));
});
