import { isJsonObject, type JsonObject, parseStrictJson } from '../../src/protocol/json.ts'

/** The JSON object of an answer. Throws for anything else. */
export async function jsonOf(response: Response): Promise<JsonObject> {
  const value = parseStrictJson(new Uint8Array(await response.arrayBuffer()))
  if (!isJsonObject(value)) throw new Error('The answer is no JSON object.')
  return value
}
