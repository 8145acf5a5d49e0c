import { OAuthError } from '../protocol/errors.ts'
import type { Step } from './agent-context.ts'

const POLL_SECONDS = 3

/** Asks again every few seconds while somebody has the approval before them, as long as the step is willing to wait. */
export async function withApproval<T>(step: Step | undefined, mint: () => Promise<T>): Promise<T> {
  for (let waited = 0; ; waited += POLL_SECONDS) {
    try {
      return await mint()
    } catch (error) {
      const isPending = error instanceof OAuthError && error.details.ajwt_error === 'approval_pending'
      if (!isPending || step === undefined || !(waited < step.approvalWait)) throw error
    }
    await new Promise(resolve => setTimeout(resolve, POLL_SECONDS * 1000))
  }
}
