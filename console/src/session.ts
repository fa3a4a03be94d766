/** The signed-in user, as the views need it. */
export interface Session {
  readonly user: string;
  /** An access token for the API, renewed when it is about to expire. */
  token(): Promise<string>;
  signOut(): Promise<void>;
}
