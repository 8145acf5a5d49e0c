import type { IncomingMessage } from 'node:http'
import type { Verified, Verifier } from '../verify.ts'

type Admission = { readonly verified: Verified; readonly verifier: Verifier }

/** Every request that a guard let pass. */
const admissions = new WeakMap<IncomingMessage, Admission>()

export function admit(request: IncomingMessage, admission: Admission): void {
  admissions.set(request, admission)
}

/** What this verifier said of the request before. */
export function admittedBy(verifier: Verifier, request: IncomingMessage): Verified | undefined {
  const admission = admissions.get(request)
  return admission?.verifier === verifier ? admission.verified : undefined
}

/** Who calls and what the call may use. Throws where no guard has let the request pass: that is a bug of the API. */
export function intentOf(request: IncomingMessage): Verified {
  const admission = admissions.get(request)
  if (admission === undefined) throw new Error('No guard has let this request pass.')
  return admission.verified
}
