import type { ServerResponse } from 'node:http'
import { jsonAnswer, writeAnswer } from './refusal-answer.ts'

const FAULT = { error: 'server_error', error_description: 'The call failed.' }

/** Runs a handler that no framework looks after: what it throws is logged, and answered where nothing was sent yet. */
export async function runHandler(
  response: ServerResponse,
  log: (message: string, cause?: unknown) => void,
  handler: () => unknown,
): Promise<void> {
  try {
    await handler()
  } catch (error) {
    log('A handler failed.', error)
    if (response.headersSent) response.destroy()
    else writeAnswer(response, jsonAnswer(500, FAULT))
  }
}
