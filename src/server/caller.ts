import type { ReplayClaim } from './store/replay.ts'

/** Whoever was authenticated by an access token of ours, as the APIs of `<issuer>` and `<issuer>/admin` see them. */
export type Caller = {
  readonly client_id: string
  readonly sub: string
  /** The `user:` subject, else the client's owner: who answers for the act (protocol.md section 11). */
  readonly acting_owner: string
  readonly scope: readonly string[]
  readonly registers_for: readonly string[]
  /** The single use of the request's proof, claimed in the transaction of the act. Absent for a Bearer token. */
  readonly proof?: ReplayClaim
  /** Of the access token. Absent where a console session stands for it. */
  readonly jti?: string
  /** Set where a console session stands for the token. */
  readonly via?: 'console'
  readonly request_id: string
  readonly address: string
}
