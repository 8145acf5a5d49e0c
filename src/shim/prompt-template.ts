import type { JsonObject } from '../protocol/json.ts'

/** A prompt with holes: text, and what may stand in each hole, are what is hashed. */
export type PromptTemplate = {
  readonly template: string
  /** The declarations as they stand in the hashed configuration (`prompt_variables`). */
  readonly variables: JsonObject
  /** The prompt with values put in; throws `invalid_request` for one outside its declared type or length. */
  readonly render: (values: Readonly<Record<string, string | number | boolean>>) => string
}
